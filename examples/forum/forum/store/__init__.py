"""What the forum knows, in SQLite. Every function here takes a connection first, and knows nothing of the web."""
