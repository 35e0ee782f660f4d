"""The documentation: it builds, its reference is complete, and its code runs."""
