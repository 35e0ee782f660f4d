"""Floor 3, one half: processes, sockets and tasks."""
