"""SQL text in, a Result out; knows no vendor."""
