"""The rows of the wire contract, each over a real socket: what a client sends and what it must read back."""
