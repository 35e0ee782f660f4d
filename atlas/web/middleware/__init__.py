"""Middleware: what stands between the router and a controller. The chain that composes it, and the ones in the box."""
