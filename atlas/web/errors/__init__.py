"""Error responses: problem documents, error pages, and the debug page."""
