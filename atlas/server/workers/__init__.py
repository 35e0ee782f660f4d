"""Worker processes: the parent that watches them, and what it knows of each."""
