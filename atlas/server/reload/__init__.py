"""Reload: restarts the server process when source files change, and tells open pages when other files do."""
