"""Globals and filters of templates, and context processors: functions of either kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, cast

from atlas.gateway.greenlets import await_
from atlas.web.controllers import is_async
from atlas.web.requests.request import AsyncRequest, Request

__all__ = ["Functions", "Processor", "adapted_processor"]

Processor = Callable[[Any], Mapping[str, Any]]


class Functions(dict[str, Any]):
    """Globals or filters by name. An ``async def`` is replaced by a function that waits for its result."""

    may_wait = False

    def __setitem__(self, name: str, value: Any) -> None:
        self.may_wait = self.may_wait or callable(value)
        super().__setitem__(name, _sync_function(value) if callable(value) and is_async(value) else value)

    def update(self, *given: Any, **named: Any) -> None:
        for name, value in dict(*given, **named).items():
            self[name] = value

    def setdefault(self, name: str, default: Any = None) -> Any:
        if name not in self:
            self[name] = default
        return self[name]


def _sync_function(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)  # copies the attribute in which Jinja2's pass_context and the like are stored
    def call(*arguments: Any, **options: Any) -> Any:
        return await_(function(*arguments, **options))

    return call


def adapted_processor(function: Processor) -> Processor:
    """Adapt a context processor: a ``def`` gets a Request, an ``async def`` an AsyncRequest, and is waited for.

    :param function: the context processor.
    """
    if is_async(function):
        return lambda request: await_(cast(Any, function(request.as_type(AsyncRequest))))
    return lambda request: function(request.as_type(Request))
