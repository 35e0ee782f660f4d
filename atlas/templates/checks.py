"""Mistakes in a template that are found without rendering it: unknown filters, tests and imported names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

import jinja2
from jinja2 import nodes

__all__ = ["template_names", "unknown_functions", "unknown_imports"]

Mistake = tuple[int, str]  # line and description

_TEXT_SUFFIXES = (
    ".html",
    ".htm",
    ".xhtml",
    ".xml",
    ".svg",
    ".txt",
    ".md",
    ".css",
    ".js",
    ".json",
    ".j2",
    ".jinja",
    ".jinja2",
)


def template_names(environment: jinja2.Environment) -> list[str]:
    """Return the names of the templates that are text; images and the like may lie beside them.

    :param environment: the environment.
    """
    return environment.list_templates(filter_func=lambda name: name.lower().endswith(_TEXT_SUFFIXES))


def unknown_functions(environment: jinja2.Environment, tree: nodes.Template) -> Iterator[Mistake]:
    """Iterate over the filters and tests that the environment lacks, in each branch of a template.

    A branch that asks ``if "name" is filter`` is not checked.

    :param environment: the environment.
    :param tree: the template.
    """
    for node in _checked(tree):
        if isinstance(node, nodes.Filter):
            kind, known = "filter", environment.filters
        elif isinstance(node, nodes.Test):
            kind, known = "test", environment.tests
        else:
            continue
        if node.name not in known:
            yield node.lineno, f"no {kind} is named {node.name!r}{_hint(node.name, known)}"


def _checked(node: nodes.Node) -> Iterator[nodes.Node]:
    """Iterate over the nodes below a node, but for what depends on a filter or test that may be missing."""
    if isinstance(node, (nodes.If, nodes.CondExpr)):
        asked = any(each.name in ("filter", "test") for each in node.test.find_all(nodes.Test))
        if asked or getattr(node.test, "name", None) in ("filter", "test"):
            return
    for child in node.iter_child_nodes():
        yield child
        yield from _checked(child)


def unknown_imports(environment: jinja2.Environment, tree: nodes.Template) -> Iterator[Mistake]:
    """Iterate over the names that a template imports, or uses of an imported template, and that this does not define.

    :param environment: the environment.
    :param tree: the template. Templates whose names are computed are not checked.
    """
    aliases: dict[str, tuple[str, set[str]]] = {}
    node: Any
    for node in tree.find_all((nodes.Import, nodes.FromImport)):
        name = getattr(node.template, "value", None)
        exported = _exported(environment, name) if isinstance(name, str) else None
        if exported is None:
            continue
        if isinstance(node, nodes.Import):
            aliases[node.target] = (str(name), exported)
            continue
        for each in node.names:
            wanted = each if isinstance(each, str) else each[0]
            if wanted not in exported:
                yield node.lineno, _missing(str(name), wanted, exported)
    stored = {each.name for each in tree.find_all(nodes.Name) if each.ctx != "load"}
    for attribute in tree.find_all(nodes.Getattr):
        alias = getattr(attribute.node, "name", None)
        if isinstance(attribute.node, nodes.Name) and alias in aliases and alias not in stored:
            template, exported = aliases[alias]
            if attribute.attr not in exported:
                yield attribute.lineno, _missing(template, attribute.attr, exported)


def _exported(environment: jinja2.Environment, name: str) -> set[str] | None:
    """Return the names that a template defines; None if they are not known."""
    loader = environment.loader
    if loader is None or not loader.has_source_access:
        return None
    try:
        tree = environment.parse(loader.get_source(environment, name)[0], name)
    except (jinja2.TemplateError, UnicodeDecodeError):
        return None  # it has an error of its own
    if tree.find(nodes.Extends) is not None:
        return None  # it has the names of that one too
    stored = {each.name for each in tree.find_all(nodes.Name) if each.ctx == "store"}
    return stored | {each.name for each in tree.find_all(nodes.Macro)}


def _missing(template: str, name: str, known: set[str]) -> str:
    return f"template {template!r} does not define {name!r}{_hint(name, known)}"


def _hint(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), 1)
    return f": did you mean {close[0]!r}?" if close else ""
