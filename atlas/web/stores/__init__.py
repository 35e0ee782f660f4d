"""Stores: bytes under a name for a time. Sessions, rate limits and caches use them."""
