"""What is known, frozen."""
