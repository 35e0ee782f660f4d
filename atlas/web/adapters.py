"""Functions of an application, adapted to the run mode of the place where they are called.

The kind of a function decides how it is called, not the place: a ``def`` gets a :class:`Request` and may wait, so that
it runs in a greenlet; an ``async def`` gets an :class:`AsyncRequest` and is awaited.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from atlas._speedups.calls.response import BaseResponse
from atlas.gateway.greenlets import Greenlets, await_
from atlas.web.controllers import is_async, to_response
from atlas.web.requests.request import AsyncRequest, Request
from atlas.web.responses.response import Response

__all__ = ["Adapted", "any_mode", "async_form", "is_inline", "sync_form"]

F = TypeVar("F", bound=Callable[..., Any])
_ATTRIBUTE = "_atlas_waits"


class Adapted(NamedTuple):
    """A function as it is called: ``call(request, *arguments)``.

    ``waits`` tells whether what it returns may be an awaitable of the result.
    """

    call: Callable[..., Any]
    waits: bool


def any_mode(*, waits: bool) -> Callable[[F], F]:
    """Decorator: a hook of ours that takes either kind of request and is called directly in every run mode.

    :param waits: whether it may return an awaitable of its result; else it never waits.
    """

    def mark(function: F) -> F:
        setattr(function, _ATTRIBUTE, waits)
        return function

    return mark


def is_inline(function: Callable[..., Any]) -> bool:
    """Whether a function never waits, as far as we know: only those that are marked so."""
    return getattr(function, _ATTRIBUTE, True) is False


def sync_form(function: Callable[..., Any], *, optional: bool) -> Callable[..., Any]:
    """A function for sync code that can wait: it gives a response.

    :param optional: whether None stays None; else it is a result such as any other.
    """
    waits = getattr(function, _ATTRIBUTE, None)
    if waits is False:
        return function
    if waits:
        return _sync_form_of_ours(function)
    if is_async(function):
        call = async_form(function, None, optional=optional).call

        def wait(request: Any, *arguments: Any) -> Any:
            return await_(call(request.seen_as(AsyncRequest), *arguments))

        return wait

    def run(request: Any, *arguments: Any) -> Any:
        result = function(request, *arguments)
        if result is None and optional:
            return None
        response = result if isinstance(result, Response) else to_response(result, function)
        return await_(response.complete(request)) if response.pending else response

    return run


def _sync_form_of_ours(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(request: Any, *arguments: Any) -> Any:
        result = function(request, *arguments)
        return result if result is None or isinstance(result, BaseResponse) else await_(result)

    return run


def async_form(function: Callable[..., Any], greenlets: Greenlets | None, *, optional: bool) -> Adapted:
    """A function for a coroutine.

    :param greenlets: run a ``def`` function. :param optional: whether None stays None.
    """
    waits = getattr(function, _ATTRIBUTE, None)
    if waits is not None:
        return Adapted(function, waits)
    call = function if is_async(function) else _in_greenlets(function, greenlets)

    async def run(request: Any, *arguments: Any) -> Any:
        result = await call(request, *arguments)
        if result is None and optional:
            return None
        response = result if isinstance(result, Response) else to_response(result, function)
        return await response.complete(request) if response.pending else response

    return Adapted(run, waits=True)


def _in_greenlets(function: Callable[..., Any], greenlets: Greenlets | None) -> Callable[..., Any]:
    assert greenlets is not None  # None is for functions that are async def
    run = greenlets.run

    def call(request: Any, *arguments: Any) -> Any:
        return run(function, request.seen_as(Request), *arguments)

    return call
