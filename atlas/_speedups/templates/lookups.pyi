from typing import Any

from jinja2 import Environment

def attribute(environment: Environment, value: Any, name: str, /) -> Any:
    """Return what ``value.name`` is in a template."""

def item(environment: Environment, value: Any, key: Any, /) -> Any:
    """Return what ``value[key]`` is in a template."""
