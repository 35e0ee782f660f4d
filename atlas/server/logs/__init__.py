"""Logs: configuration, the access log, and the pipes and files that the lines go to."""
