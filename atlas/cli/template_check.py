"""Checks templates without rendering them: their syntax, and the filters, templates, macros and routes that they name.

The nodes are those of Jinja2, parsed by the environment of the application.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from atlas.server.configuration.settings import close_match
from atlas.templates.checks import template_names, unknown_functions, unknown_imports

if TYPE_CHECKING:
    from atlas.web.application import Application

__all__ = ["check_templates"]

_TEMPLATE_REFERENCES = ("Extends", "Include", "Import", "FromImport")


def check_templates(application: Application) -> Iterator[str]:
    """Yield one line for each mistake in the templates of an application: ``page.html:3: ...``."""
    environment: Any = application.templates.environment
    names = template_names(environment)
    for name in names:
        try:
            source, _, _ = environment.loader.get_source(environment, name)
            tree = environment.parse(source, name)
        except Exception as error:
            yield _described(name, error)
            continue
        mistakes = [*unknown_functions(environment, tree), *unknown_imports(environment, tree)]
        yield from (f"{name}:{line}: {mistake}" for line, mistake in sorted(mistakes))
        if not mistakes:
            try:
                environment.compile(source, name)
            except Exception as error:
                yield _described(name, error)
                continue
        yield from _check_tree(application, tree, name, names)


def _described(name: str, error: Exception) -> str:
    return f"{name}:{getattr(error, 'lineno', 1)}: {getattr(error, 'message', None) or error}"


def _check_tree(application: Application, tree: Any, name: str, names: list[str]) -> Iterator[str]:
    for node in _nodes(tree):
        kind = type(node).__name__
        if kind in _TEMPLATE_REFERENCES:
            optional = getattr(node, "ignore_missing", False)
            referenced = getattr(node.template, "value", None)
            if isinstance(referenced, str) and referenced not in names and not optional:
                yield f"{name}:{node.lineno}: there is no template {referenced!r}{close_match(referenced, names)}"
        elif kind == "Call" and getattr(node.node, "name", None) == "url_for" and node.args:
            route = getattr(node.args[0], "value", None)
            if isinstance(route, str) and (problem := _unknown_route(application, route)):
                yield f"{name}:{node.lineno}: url_for: {problem}"


def _nodes(node: Any) -> Iterator[Any]:
    for child in node.iter_child_nodes():
        yield child
        yield from _nodes(child)


def _unknown_route(application: Application, name: str) -> str | None:
    try:
        application.url_for(name)
    except LookupError as error:
        return str(error.args[0])
    except ValueError:
        return None  # the route exists, and has parameters
    return None
