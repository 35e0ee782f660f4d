"""The Jinja2 environment: undefined variables, coroutines, and blocks that are rendered alone.

How templates are compiled is in :mod:`atlas.templates`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from typing import Any

import jinja2

from atlas import templates
from atlas._speedups.calls.response import Printer
from atlas.templates.flush import FlushExtension
from atlas.web.templates.blocks import reduce_to_blocks
from atlas.web.templates.current import importing
from atlas.web.templates.undefined import Missing

__all__ = ["Environment", "Template"]

_MAX_BLOCK_TEMPLATES = 400  # as many as Jinja2 keeps of whole templates


class Template(templates.Template):
    """A template. The top level of one that is imported without context runs once, so it has no current request."""

    def make_module(self, vars: dict[str, Any] | None = None, *args: Any, **kwargs: Any) -> Any:  # noqa: A002  # Jinja2's
        """Return the module of an imported template; the parameters are those of Jinja2."""
        with importing(vars):
            return super().make_module(vars, *args, **kwargs)

    async def make_module_async(self, vars: dict[str, Any] | None = None, *args: Any, **kwargs: Any) -> Any:  # noqa: A002
        """Return the module of an imported template; the parameters are those of Jinja2."""
        with importing(vars):
            return await super().make_module_async(vars, *args, **kwargs)


class Environment(templates.Environment):
    """The environment of the templates of an application.

    :param options: the options of :class:`jinja2.Environment`. By default everything is escaped, whatever the name of
        the template is, and an undefined variable is a :class:`Missing`.
    """

    template_class = Template

    def __init__(self, **options: Any) -> None:
        defaults: dict[str, Any] = {"autoescape": True, "undefined": Missing, "finalize": _PRINTER.prepare}
        if os.environ.get("ATLAS_TEMPLATE_CACHE") != "off":
            defaults["bytecode_cache"] = templates.UserBytecodeCache()
        extensions = [FlushExtension, *options.pop("extensions", ())]
        super().__init__(**{**defaults, **options, "extensions": extensions})
        self.finalize_keeps_plain = "finalize" not in options
        self._block_templates: dict[tuple[str, bool], jinja2.Template] = {}

    @property
    def check_awaitable(self) -> Callable[[Any], None] | None:
        """What refuses a coroutine that a call returns: it would be true in a condition, and printed as an object."""
        return None if self.is_async else _refuse_coroutine

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
        key = (name, self.accelerates)
        kept = self._block_templates.get(key)
        if kept is None or (self.auto_reload and not kept.is_up_to_date):
            if len(self._block_templates) >= _MAX_BLOCK_TEMPLATES:
                self._block_templates.clear()
            kept = self._block_templates[key] = self._load_block_template(name, self.loader)
        return kept

    def _load_block_template(self, name: str, loader: jinja2.BaseLoader) -> jinja2.Template:
        source, path, is_up_to_date = loader.get_source(self, name)
        tree = reduce_to_blocks(self.parse(source, name, path), name)
        code = self.compile(tree, name, path)
        return self.template_class.from_code(self, code, self.make_globals(None), is_up_to_date)


def _refuse_coroutine(value: Any) -> None:
    if isinstance(value, Coroutine):
        _refuse_awaitable(value)


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
