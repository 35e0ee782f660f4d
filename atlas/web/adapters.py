"""Adapters that call the functions of an application from sync and from async code.

The kind of a function decides how it is called, not its caller: a ``def`` gets a :class:`Request` and may wait, so it
runs in a greenlet; an ``async def`` gets an :class:`AsyncRequest` and is awaited.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

from atlas._speedups.calls.response import BaseResponse
from atlas.gateway.greenlets import Greenlets, await_, in_greenlet
from atlas.web.controllers import is_async, to_response
from atlas.web.requests.request import AsyncRequest, Request
from atlas.web.responses.response import Response

__all__ = ["Adapted", "InGreenlet", "any_mode", "async_form", "is_inline", "sync_form"]

F = TypeVar("F", bound=Callable[..., Any])
_ATTRIBUTE = "_atlas_waits"


class Adapted(NamedTuple):
    """An adapted function.

    :ivar call: ``call(request, *arguments)``.
    :ivar waits: whether ``call`` may return an awaitable of the result.
    """

    call: Callable[..., Any]
    waits: bool


def any_mode(*, waits: bool) -> Callable[[F], F]:
    """Return a decorator for a hook of a built-in middleware, which takes either kind of request and is called directly
    in every run mode.

    :param waits: whether it may return an awaitable of its result; else it never waits.
    """

    def mark(function: F) -> F:
        setattr(function, _ATTRIBUTE, waits)
        return function

    return mark


def is_inline(function: Callable[..., Any]) -> bool:
    """Return whether a function is known never to wait: it is marked with ``any_mode(waits=False)``.

    :param function: the function.
    """
    return getattr(function, _ATTRIBUTE, True) is False


def sync_form(function: Callable[..., Any], *, optional: bool) -> Callable[..., Any]:
    """Adapt a function for sync code in a greenlet.

    :param function: called with the request and further arguments.
    :param optional: whether None stays None; else it is converted to a response.
    :returns: a function that returns a response.
    """
    waits = getattr(function, _ATTRIBUTE, None)
    if waits is False:
        return function
    if waits:
        return _sync_form_of_any_mode(function)
    if is_async(function):
        call = async_form(function, None, optional=optional).call

        def wait(request: Any, *arguments: Any) -> Any:
            return await_(call(request.as_type(AsyncRequest), *arguments))

        return wait

    def run(request: Any, *arguments: Any) -> Any:
        result = function(request, *arguments)
        if result is None and optional:
            return None
        response = result if isinstance(result, Response) else to_response(result, function, "function")
        return await_(response.complete(request)) if response.pending else response

    return run


def _sync_form_of_any_mode(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(request: Any, *arguments: Any) -> Any:
        result = function(request, *arguments)
        return result if result is None or isinstance(result, BaseResponse) else await_(result)

    return run


def async_form(function: Callable[..., Any], greenlets: Greenlets | None, *, optional: bool) -> Adapted:
    """Adapt a function for async code.

    :param function: called with the request and further arguments.
    :param greenlets: runs a ``def`` function; None if the function is ``async def``.
    :param optional: whether None stays None; else it is converted to a response.
    """
    waits = getattr(function, _ATTRIBUTE, None)
    if waits is not None:
        return Adapted(function, waits)
    call = function if is_async(function) else _in_greenlets(function, greenlets)

    async def run(request: Any, *arguments: Any) -> Any:
        result = await call(request, *arguments)
        if result is None and optional:
            return None
        response = result if isinstance(result, Response) else to_response(result, function, "function")
        return await response.complete(request) if response.pending else response

    return Adapted(run, waits=True)


def _in_greenlets(function: Callable[..., Any], greenlets: Greenlets | None) -> Callable[..., Any]:
    assert greenlets is not None  # the function is a def
    run = greenlets.run

    def call(request: Any, *arguments: Any) -> Any:
        return run(function, request.as_type(Request), *arguments)

    return call


class InGreenlet:
    """An async context manager that enters and leaves a sync one in greenlets, where it may wait.

    :param manager: the sync one.
    """

    def __init__(self, manager: AbstractContextManager[Any]) -> None:
        self._manager = manager

    async def __aenter__(self) -> Any:
        return await in_greenlet(self._manager.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await in_greenlet(self._manager.__exit__, kind, error, trace)
