"""The cache: values under keys for a time, computed once for all that ask at the same time."""
