"""Routes: URL patterns, their converters, and the router that matches a path."""
