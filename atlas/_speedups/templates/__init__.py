"""The compiled half of the template engine: look-ups, escaping, loops, macros, and plans of what a template prints."""
