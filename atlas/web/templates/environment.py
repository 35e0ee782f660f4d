"""The Jinja2 environment: undefined variables, coroutines, and blocks that are rendered alone.

It uses documented extension points only: ``context_class``, ``template_class``, ``finalize``, ``undefined``, the nodes
of :meth:`jinja2.Environment.parse`, and ``compile`` for a tree of nodes.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Coroutine, Mapping
from typing import Any

import jinja2
from jinja2.runtime import Context as JinjaContext
from markupsafe import Markup

from atlas._speedups.calls.response import Printer
from atlas.web.templates.blocks import reduce_to_blocks
from atlas.web.templates.current import importing
from atlas.web.templates.undefined import Missing

__all__ = ["Context", "Environment", "Template"]

_MAX_BLOCK_TEMPLATES = 400  # as many as Jinja2 keeps of whole templates
# The types of most values: of these no further question is asked.
_PLAIN = frozenset([str, int, float, bool, type(None), Markup])


class Context(JinjaContext):
    """The variables of a template. A call that returns a coroutine raises, unless the environment awaits it.

    Without this a coroutine is true in a condition, and printed as ``<coroutine object ...>``.
    """

    def call(__self, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805  # as in Jinja2: a call may pass self=
        result = super().call(__obj, *args, **kwargs)
        if type(result) not in _PLAIN and isinstance(result, Coroutine) and not __self.environment.is_async:
            _refuse_awaitable(result)
        return result


class Template(jinja2.Template):
    """A template. The top level of one that is imported without context runs once, so it has no current request."""

    def new_context(
        self,
        vars: dict[str, Any] | None = None,  # noqa: A002  # Jinja2's
        shared: bool = False,
        locals: Mapping[str, Any] | None = None,  # noqa: A002  # Jinja2's
    ) -> JinjaContext:
        """Return the variables for one rendering; the parameters are those of Jinja2."""
        if not shared and isinstance(self.globals, ChainMap):
            # Jinja2 adds the globals too, each by a lookup in Python.
            values: dict[str, Any] = {}
            for each in reversed(self.globals.maps):
                values.update(each)
            vars, shared = {**values, **(vars or {})}, True  # noqa: A001  # Jinja2's
        return super().new_context(vars, shared, locals)

    def make_module(self, vars: dict[str, Any] | None = None, *args: Any, **kwargs: Any) -> Any:  # noqa: A002  # Jinja2's
        """Return the module of an imported template; the parameters are those of Jinja2."""
        with importing(vars):
            return super().make_module(vars, *args, **kwargs)

    async def make_module_async(self, vars: dict[str, Any] | None = None, *args: Any, **kwargs: Any) -> Any:  # noqa: A002
        """Return the module of an imported template; the parameters are those of Jinja2."""
        with importing(vars):
            return await super().make_module_async(vars, *args, **kwargs)


class Environment(jinja2.Environment):
    """The environment of the templates of an application.

    :param options: the options of :class:`jinja2.Environment`. By default everything is escaped, whatever the name of
        the template is, and an undefined variable is a :class:`Missing`.
    """

    context_class = Context
    template_class = Template

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"autoescape": True, "undefined": Missing, "finalize": _PRINTER.prepare, **options})
        self._block_templates: dict[str, jinja2.Template] = {}

    def overlay(self, *args: Any, **options: Any) -> Environment:
        """Return an environment that shares all but some options with this one; see Jinja2."""
        overlay = super().overlay(*args, **options)
        overlay._block_templates = {}
        return overlay

    def get_block_template(self, name: Any, parent: str | None = None) -> jinja2.Template:
        """Load a template without what it prints outside of its blocks: rendering it sets its variables and blocks.

        :param name: its name. A template object, and a template whose source is not available, are returned as they
            are.
        :param parent: the name of the template that extends it; None, the default, for none.
        :raises jinja2.TemplateError: if the template is missing or invalid.
        """
        if not isinstance(name, str) or self.loader is None or not self.loader.has_source_access:
            return self.get_template(name, parent)
        if parent is not None:
            name = self.join_path(name, parent)
        kept = self._block_templates.get(name)
        if kept is None or (self.auto_reload and not kept.is_up_to_date):
            if len(self._block_templates) >= _MAX_BLOCK_TEMPLATES:
                self._block_templates.clear()
            kept = self._block_templates[name] = self._load_block_template(name, self.loader)
        return kept

    def _load_block_template(self, name: str, loader: jinja2.BaseLoader) -> jinja2.Template:
        source, path, is_up_to_date = loader.get_source(self, name)
        tree = reduce_to_blocks(self.parse(source, name, path), name)
        code = self.compile(tree, name, path)
        return self.template_class.from_code(self, code, self.make_globals(None), is_up_to_date)


def _refuse_awaitable(value: Any) -> None:
    name, kind = getattr(value, "__qualname__", None), type(value).__name__
    what = f"{name}() is 'async def': its {kind}" if name else f"a value of type {kind}"
    if isinstance(value, Coroutine):
        value.close()  # else Python also warns about a coroutine that was never awaited
    raise TypeError(
        f"{what} is not awaited in this template: await it in the controller, and pass the result to the template; "
        "templates await what they call with Templates(enable_async=True)"
    )


_PRINTER = Printer(_refuse_awaitable)  # it has no state
