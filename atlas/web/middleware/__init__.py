"""Middleware: code between the router and a controller. The chain that composes it, and the built-in middleware."""
