"""What all versions of HTTP share: the exchange, heads, fields, targets, limits."""
