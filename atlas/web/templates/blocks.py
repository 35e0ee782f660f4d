"""Reduces a template to what its blocks need when one of them is rendered alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jinja2 import nodes

__all__ = ["reduce_to_blocks"]

# Statements that define something for the blocks, or that decide whether others are reached. The others print.
_DEFINITIONS = (
    nodes.Extends,
    nodes.Import,
    nodes.FromImport,
    nodes.Macro,
    nodes.Assign,
    nodes.AssignBlock,
    nodes.ExprStmt,
    nodes.Break,
    nodes.Continue,
)
_SCOPES = (nodes.With, nodes.Scope, nodes.ScopedEvalContextModifier)


def reduce_to_blocks(tree: nodes.Template, name: str) -> nodes.Template:
    """Remove what a template prints outside of its blocks. Imports, ``set``, macros and ``extends`` remain.

    A rendering of the result runs these, also those of the templates that it extends, and no block: they are then in
    the context, for one block.

    :param tree: the template, which is changed.
    :param name: its name.
    :returns: the template.
    """
    assert tree.environment is not None  # the parser sets it
    blocks = list(_outermost_blocks(tree.body))
    tree.body = _definitions(tree.body)
    for extends in tree.find_all(nodes.Extends):
        load = nodes.EnvironmentAttribute("get_block_template")
        extends.template = nodes.Call(load, [extends.template, nodes.Const(name)], [], None, None)
        extends.template.set_lineno(extends.lineno)
    if blocks:
        # Jinja2 compiles them, and the top level does not run them.
        tree.body.append(nodes.If(nodes.Const(False), blocks, [], []).set_lineno(1))
    tree.set_environment(tree.environment)
    return tree


def _outermost_blocks(children: Iterable[nodes.Node]) -> Iterator[nodes.Node]:
    for node in children:
        if isinstance(node, nodes.Block):
            yield node
        else:
            yield from _outermost_blocks(node.iter_child_nodes())


def _definitions(body: list[nodes.Node]) -> list[nodes.Node]:
    """Return the statements of a body that define something, those inside of other statements included."""
    kept: list[nodes.Node] = []
    for node in body:
        if isinstance(node, _DEFINITIONS):
            kept.append(node)
        elif isinstance(node, nodes.If):
            node.body, node.else_ = _definitions(node.body), _definitions(node.else_)
            for branch in node.elif_:
                branch.body = _definitions(branch.body)
            if node.body or node.else_ or any(branch.body for branch in node.elif_):
                kept.append(node)
        elif isinstance(node, nodes.For):
            node.body, node.else_ = _definitions(node.body), _definitions(node.else_)
            if node.body or node.else_:
                kept.append(node)
        elif isinstance(node, _SCOPES):
            node.body = _definitions(node.body)
            if node.body:
                kept.append(node)
    return kept
