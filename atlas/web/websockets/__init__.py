"""WebSockets: routes, the object that a controller gets, and WebSockets over ASGI events."""
