"""The documentation: it builds, its reference is complete, and every piece of code in it runs."""
