"""Sessions: what is remembered of a visitor from one request to the next, and where it is kept."""
