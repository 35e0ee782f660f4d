"""Metrics and health: counters in shared memory, and the endpoint that shows them."""
