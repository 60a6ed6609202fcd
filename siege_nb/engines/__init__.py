"""Sessions that several kinds share."""
