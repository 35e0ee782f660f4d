"""What a server may keep of its past: nothing."""
