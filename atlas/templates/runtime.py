"""What compiled templates import."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jinja2.runtime
from jinja2.exceptions import TemplateNotFound, TemplateRuntimeError
from jinja2.runtime import TemplateReference, Undefined, identity, markup_join, str_join
from jinja2.utils import Namespace, _PassArg, internalcode, missing
from markupsafe import Markup

from atlas._speedups.templates.calling import MacroFunction, call, print_call
from atlas._speedups.templates.context import (
    RenderFunction,
    extend,
    load,
    render_block,
    render_included,
    render_template,
    resolve,
    resolve_all,
)
from atlas._speedups.templates.escaping import escape
from atlas._speedups.templates.expressions import (
    Attribute,
    Binary,
    Call,
    Collection,
    Compare,
    Concatenation,
    Conditional,
    Constant,
    Filter,
    Item,
    Local,
    Mapping,
    Marked,
    Unary,
)
from atlas._speedups.templates.lookups import attribute, item
from atlas._speedups.templates.loops import LoopState
from atlas._speedups.templates.statements import Condition, Loop, Plan, Print, Target, Text

__all__ = [
    "Attribute",
    "Binary",
    "Call",
    "Collection",
    "Compare",
    "Concatenation",
    "Condition",
    "Conditional",
    "Constant",
    "Filter",
    "Item",
    "Local",
    "Loop",
    "LoopContext",
    "Macro",
    "Mapping",
    "Marked",
    "Markup",
    "Namespace",
    "Plan",
    "Print",
    "RenderFunction",
    "Target",
    "TemplateNotFound",
    "TemplateReference",
    "TemplateRuntimeError",
    "Text",
    "Unary",
    "Undefined",
    "attribute",
    "call",
    "escape",
    "extend",
    "find_function",
    "identity",
    "internalcode",
    "item",
    "load",
    "markup_join",
    "missing",
    "print_call",
    "render_block",
    "render_included",
    "render_template",
    "resolve",
    "resolve_all",
    "str_join",
    "unpacker",
]


class LoopContext(LoopState, jinja2.runtime.LoopContext):
    """``loop`` in a template."""


class Macro(MacroFunction, jinja2.runtime.Macro):  # type: ignore[misc]  # Jinja2's has lists and no None
    """A macro of a template."""

    jinja_pass_arg = _PassArg.eval_context


def find_function(environment: jinja2.Environment, kind: str, name: str) -> Callable[..., Any]:
    """Return a filter or test; for a missing one a function that raises.

    :param environment: the environment.
    :param kind: "filters" or "tests".
    :param name: its name.
    """
    function: Callable[..., Any] | None = getattr(environment, kind).get(name)
    if function is not None:
        return function

    @internalcode
    def fail(*_: Any, **__: Any) -> Any:
        raise TemplateRuntimeError(f"No {kind[:-1]} named {name!r} found.")

    return fail


def unpacker(count: int) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that unpacks a value, with Python's own exceptions.

    :param count: how many items the value has to have.
    """
    names = "".join(f"v{number}," for number in range(count))
    function: Callable[[Any], tuple[Any, ...]]
    namespace: dict[str, Any] = {}
    exec(f"def unpack(value):\n    ({names}) = value\n    return ({names})", namespace)
    function = internalcode(namespace["unpack"])
    return function
