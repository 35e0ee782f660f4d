from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jinja2 import Environment, Template
from jinja2.nodes import EvalContext

class ContextState:
    parent: dict[str, Any]
    vars: dict[str, Any]
    environment: Environment
    name: str | None
    eval_ctx: EvalContext
    blocks: dict[str, list[Any]]
    exported_vars: set[str]
    globals_keys: set[str]
    def resolve_or_missing(self, key: str) -> Any:
        """Return the value of a variable; Jinja2's ``missing`` if there is none."""

    def get_all(self) -> dict[str, Any]:
        """Return all variables in a dict, which is not to be changed."""

    def has_globals_of(self, other: Any, /) -> bool:
        """Return whether a template with the given globals has every global of this one. False if it is not known."""

class RenderFunction:
    def __init__(self, function: Callable[[Any, list[str]], object]) -> None: ...
    def __call__(self, context: Any) -> Iterable[str]: ...

class Chunks(list[str]):
    def close(self) -> None:
        """Do nothing."""

def render_page(function: RenderFunction, context: Any, /) -> str:
    """Return what a template renders."""

def new_context(
    kind: type,
    environment: Environment,
    name: str | None,
    blocks: Mapping[str, Any],
    values: Mapping[str, Any],
    shared: bool,
    global_variables: Mapping[str, Any] | None,
    local_variables: Mapping[str, Any] | None,
    /,
) -> Any:
    """Return the context for one rendering."""

def resolve(context: ContextState, name: str, /) -> Any:
    """Return the value of a variable; Jinja2's ``missing`` if there is none."""

def resolve_all(context: ContextState, names: tuple[str, ...], /) -> tuple[Any, ...]:
    """Return the values of several variables in a tuple."""

def render_block(context: Any, name: str, out: list[str], inner: Any = None, /) -> None:
    """Append what a block renders."""

def render_template(template: Template, context: Any, out: list[str], /) -> None:
    """Append what a template renders with a context that is made for it."""

def render_included(template: Template, context: Any, local_variables: dict[str, Any], out: list[str], /) -> None:
    """Append what an included template renders."""

def load(environment: Environment, name: Any, parent: str | None, /) -> Template:
    """Return ``environment.get_template(name, parent)``. A template of the environment's cache is found here."""

def extend(context: ContextState, template: Template, /) -> None:
    """Add the blocks of a template that is extended."""
