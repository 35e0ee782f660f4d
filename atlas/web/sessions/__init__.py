"""Sessions: their values, how they are signed, and the stores that keep them."""
