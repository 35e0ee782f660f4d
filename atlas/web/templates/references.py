"""Which variables a template uses, with the templates that it extends, includes and imports."""

from __future__ import annotations

import jinja2
from jinja2 import meta, nodes

__all__ = ["uses_variable"]


def uses_variable(environment: jinja2.Environment, name: str, variable: str) -> bool:
    """Return whether a template uses a variable, also in its macros and in the templates that it names.

    A template whose name is computed while it is rendered is not found.

    :param environment: the environment.
    :param name: the name of the template.
    :param variable: the name of the variable.
    """
    seen, waiting = {name}, [name]
    while waiting:
        try:
            tree = _parse(environment, waiting.pop())
        except jinja2.TemplateError:
            continue  # the rendering raises it, if it comes to it
        if tree is None:
            continue
        if any(node.name == variable for node in tree.find_all(nodes.Name)):
            return True
        referenced = {each for each in meta.find_referenced_templates(tree) if each is not None}
        waiting += referenced - seen
        seen |= referenced
    return False


def _parse(environment: jinja2.Environment, name: str) -> nodes.Template | None:
    loader = environment.loader
    if loader is None or not loader.has_source_access:
        return None
    return environment.parse(loader.get_source(environment, name)[0], name)
