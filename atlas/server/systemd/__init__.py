"""What systemd, or another service manager with its protocol, passes to the server and is told by it."""
