"""The chain of middleware around a controller, composed once, at startup.

Three styles may be mixed, the first one listed being the outermost:

* a function ``def mw(request, call_next)`` or ``async def mw(request, call_next)`` that returns a response, usually the
  one of ``call_next(request)``;
* an object with ``before(request)``, ``after(request, response)``, or both, each ``def`` or ``async def``. ``before``
  may return a response, which ends it there; ``after`` may return another response. Neighbours of this style share one
  step;
* a pure ASGI class, as ``Middleware(Class, **options)``.

The kind of each function decides how it is called, whatever its neighbours and the controller are: a ``def`` gets a
``Request`` and may wait, an ``async def`` gets an ``AsyncRequest`` and is awaited.

An object may have ``bind(application)``, which is called once, at startup. An exception becomes a response inside the
step where it was raised, so every middleware sees responses only: an error page has the headers of any other page.
``after`` runs, in reverse order, for those whose ``before`` returned, whatever came of the request then.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple, Protocol

from atlas._speedups.calls.handlers import Hooks, RunMode
from atlas.errors import StartupError
from atlas.gateway.greenlets import Greenlets, await_
from atlas.web.adapters import async_form, is_inline, sync_form
from atlas.web.asgi import Middleware, asgi_step
from atlas.web.controllers import check_callable, controller_name, is_async, to_response
from atlas.web.requests.request import AsyncRequest, Request
from atlas.web.responses.response import Response

__all__ = ["Errors", "Step", "bind", "check_middleware", "compose", "stays_inline"]

Call = Callable[[Any], Any]


class Step(NamedTuple):
    """A part of the chain: takes a request (an AsyncRequest if the mode is ASYNC) and gives a response.

    It raises no exception but ClientDisconnected.
    """

    call: Call
    run_mode: RunMode


class Errors(Protocol):
    """Makes responses of exceptions."""

    def in_mode(self, run_mode: RunMode) -> Callable[[Any, Exception], Any]:
        """``on_error(request, error)``, which gives the response; it is awaited if the mode is ASYNC."""


def check_middleware(middleware: Iterable[Any], place: str) -> tuple[Any, ...]:
    """The middleware as a tuple.

    :param place: file and line for the message. :raises StartupError: for what cannot be middleware.
    """
    checked = tuple(middleware)
    for each in checked:
        try:
            _check_one(each)
        except ValueError as error:
            raise StartupError(f"{place}: {error}") from None
    return checked


def _check_one(each: Any) -> None:
    if inspect.isclass(each):
        name = each.__name__
        raise ValueError(f"the middleware {name} is a class: write {name}(...), or Middleware({name}, ...) for ASGI")
    if not isinstance(each, Middleware) and not _has_hooks(each):
        check_callable(each, 2, "middleware", "the request and call_next")


def _has_hooks(each: Any) -> bool:
    return not inspect.isfunction(each) and (hasattr(each, "before") or hasattr(each, "after"))


def bind(middleware: Iterable[Any], application: Any) -> None:
    """Tell each middleware that wants to know (``bind``) which application it belongs to.

    :raises StartupError: from the middleware itself, for a setting that it lacks.
    """
    for each in middleware:
        if (tell := getattr(each, "bind", None)) is not None:
            tell(application)


def stays_inline(middleware: Iterable[Any]) -> bool:
    """Whether a chain of this middleware never waits."""
    return all(_style(each) == "hooks" and all(map(is_inline, _hooks_of(each))) for each in middleware)


def _hooks_of(each: Any) -> list[Callable[..., Any]]:
    return [getattr(each, name) for name in ("before", "after") if hasattr(each, name)]


def compose(middleware: Sequence[Any], endpoint: Step, errors: Errors, greenlets: Greenlets) -> Step:
    """One step of the middleware and what it stands around.

    :param endpoint: the innermost step. Its mode may be INLINE only if the middleware :func:`stays_inline`.
    """
    step = endpoint
    for kind, group in groupby(reversed(middleware), key=_style):
        if kind == "hooks":
            step = _hooks(list(group)[::-1], step, errors, greenlets)
        else:
            for each in group:
                step = _around(each, step, errors, greenlets)
    return step


def _style(each: Any) -> str:
    return "hooks" if not isinstance(each, Middleware) and _has_hooks(each) else "around"


def _around(each: Any, inner: Step, errors: Errors, greenlets: Greenlets) -> Step:
    if isinstance(each, Middleware):
        return _guarded(asgi_step(each, _to_async(inner, greenlets)), errors)
    if is_async(each):
        return _async_function(each, _to_async(inner, greenlets), errors)
    return _sync_function(each, _to_sync(inner), errors)


def _guarded(call: Call, errors: Errors) -> Step:
    """A coroutine function whose exceptions become responses."""
    on_error = errors.in_mode(RunMode.ASYNC)

    async def step(request: Any) -> Response:
        try:
            response: Response = await call(request)
        except Exception as error:
            response = await on_error(request, error)
        return response

    return Step(step, RunMode.ASYNC)


def _async_function(function: Callable[..., Any], call_next: Call, errors: Errors) -> Step:
    on_error = errors.in_mode(RunMode.ASYNC)

    async def step(request: Any) -> Response:
        try:
            result = await function(request, call_next)
            response: Response = result if isinstance(result, Response) else _to_response(result, function)
            return await response.complete(request) if response.pending else response
        except Exception as error:
            answer: Response = await on_error(request, error)
            return answer

    return Step(step, RunMode.ASYNC)


def _sync_function(function: Callable[..., Any], call_next: Call, errors: Errors) -> Step:
    """A ``def`` middleware: in a greenlet, where it waits for what is inside if that is async."""
    on_error = errors.in_mode(RunMode.GREENLET)

    def step(request: Any) -> Response:
        try:
            result = function(request, call_next)
            response: Response = result if isinstance(result, Response) else _to_response(result, function)
            return await_(response.complete(request)) if response.pending else response
        except Exception as error:
            answer: Response = on_error(request, error)
            return answer

    return Step(step, RunMode.GREENLET)


def _to_response(result: Any, function: Callable[..., Any]) -> Response:
    """What a middleware returned, as a response. None is no 204: a ``return`` is missing."""
    if result is None:
        name = controller_name(function)
        raise TypeError(f"the middleware {name} returned None; expected a response, such as that of call_next(request)")
    return to_response(result, function)


def _to_async(step: Step, greenlets: Greenlets) -> Call:
    """A step for async code: takes an AsyncRequest, and is awaited."""
    call, run_mode = step
    if run_mode is RunMode.ASYNC:
        return call
    return lambda request: greenlets.run(call, request.seen_as(Request))


def _to_sync(step: Step) -> Call:
    """A step for sync code in a greenlet: takes a Request, and gives the response."""
    call, run_mode = step
    if run_mode is not RunMode.ASYNC:
        # A compiled call has no frame: by this one the loop monitor tells a middleware from what is inside.
        return lambda request: call(request)
    return lambda request: await_(call(request.seen_as(AsyncRequest)))


def _hooks(group: Sequence[Any], inner: Step, errors: Errors, greenlets: Greenlets) -> Step:
    """The hooks of neighbours. They run in the mode of the step inside."""
    waits = inner.run_mode is RunMode.ASYNC

    def adapted(name: str) -> list[tuple[int, Call, bool]]:
        found = [(place, getattr(each, name)) for place, each in enumerate(group) if hasattr(each, name)]
        if waits:
            return [(place, *async_form(hook, greenlets, optional=True)) for place, hook in found]
        return [(place, sync_form(hook, optional=True), False) for place, hook in found]

    before, after = tuple(adapted("before")), tuple(reversed(adapted("after")))
    on_error = errors.in_mode(inner.run_mode)
    return Step(Hooks(before, after, len(group), inner.call, on_error, waits).respond, inner.run_mode)
