"""The server: sockets, settings, lifespan, logs and shutdown."""
