"""Jinja2 templates. Only this package imports Jinja2; it is imported when templates are first used."""
