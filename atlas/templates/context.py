"""The variables of a template."""

from __future__ import annotations

from typing import Any

import jinja2.runtime
from jinja2.utils import internalcode

from atlas._speedups.templates.calling import call
from atlas._speedups.templates.context import ContextState

__all__ = ["Context"]


class Context(ContextState, jinja2.runtime.Context):
    """The variables of a template, with the attributes and methods of :class:`jinja2.runtime.Context`."""

    @internalcode
    def call(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call a function as templates do; see :meth:`jinja2.runtime.Context.call`."""
        # What was set in a loop or block is seen by functions that take the context.
        if kwargs.get("_loop_vars") or kwargs.get("_block_vars"):
            return super().call(function, *args, **kwargs)
        kwargs.pop("_loop_vars", None)
        kwargs.pop("_block_vars", None)
        return call(self, function, *args, **kwargs)
