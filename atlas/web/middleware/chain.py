"""The chain of middleware around a controller, composed once, at startup.

A middleware is one of the following. The first one in a list is the outermost.

* A function ``def mw(request, call_next)`` or ``async def mw(request, call_next)`` that returns a response, usually
  that of ``call_next(request)``.
* An object with ``before(request)``, ``after(request, response)``, or both, each ``def`` or ``async def``. If
  ``before`` returns a response, the inner middleware and the controller are not called; ``after`` may return another
  response. Adjacent objects share one step of the chain.
* A pure ASGI class, as ``Middleware(Class, **options)``.

The kind of each function decides how it is called, not that of the other functions or the controller: a ``def`` gets a
``Request`` and may wait; an ``async def`` gets an ``AsyncRequest`` and is awaited.

An object may have ``bind(application)``, which is called once, at startup, and ``check_order(inner)``, which is called
for each chain with the middleware inside.

An exception is converted to a response inside the step where it was raised, so a middleware sees responses only, and
error pages get its header fields too. A response belongs to its request: where other code has the object that a step
returned, such as a page that is made once, the next step gets a copy, which it may change.
``after`` is called, in reverse order, for each object whose ``before`` returned.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple, Protocol

from atlas._speedups.calls.handlers import Hooks, RunMode
from atlas._speedups.calls.response import owned
from atlas.errors import StartupError
from atlas.gateway.greenlets import Greenlets, await_
from atlas.web.adapters import async_form, is_inline, sync_form
from atlas.web.asgi import Middleware, asgi_step
from atlas.web.config import Config
from atlas.web.controllers import check_callable, is_async, result_error, to_response
from atlas.web.requests.request import AsyncRequest, Request
from atlas.web.responses.response import Response

__all__ = ["Errors", "Step", "bind", "check_middleware", "compose", "stays_inline"]

Call = Callable[[Any], Any]


class Step(NamedTuple):
    """A step of the chain.

    :ivar call: takes a request (an AsyncRequest if the mode is ASYNC) and returns a response; awaited if the mode is
        ASYNC. It raises no Exception except ClientDisconnected.
    :ivar run_mode: how it runs.
    """

    call: Call
    run_mode: RunMode


class Errors(Protocol):
    """Converts exceptions to responses."""

    def in_mode(self, run_mode: RunMode) -> Callable[[Any, Exception], Any]:
        """Return ``on_error(request, error)``, which returns the response; it is awaited if the mode is ASYNC."""


def check_middleware(middleware: Iterable[Any], place: str) -> tuple[Any, ...]:
    """Check middleware, and return it as a tuple.

    :param middleware: the middleware.
    :param place: file and line, for the message.
    :raises StartupError: for an object that is not a middleware.
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
    """Call ``bind(application)`` of each middleware that has it.

    :param middleware: the middleware.
    :param application: the application.
    :raises StartupError: by a middleware, for a missing setting.
    """
    for each in middleware:
        if (call := getattr(each, "bind", None)) is not None:
            call(application)


def configure(middleware: Iterable[Any], config: Config) -> None:
    """Call ``use_config(config)`` of each middleware that has it: it is used before the application starts, too.

    :param middleware: the middleware.
    :param config: the configuration of the application.
    """
    for each in middleware:
        if not isinstance(each, Middleware) and (call := getattr(each, "use_config", None)) is not None:
            call(config)


def stays_inline(middleware: Iterable[Any]) -> bool:
    """Return whether a chain of this middleware never waits.

    :param middleware: the middleware.
    """
    return all(_style(each) == "hooks" and all(map(is_inline, _hooks_of(each))) for each in middleware)


def _hooks_of(each: Any) -> list[Callable[..., Any]]:
    return [getattr(each, name) for name in ("before", "after") if hasattr(each, name)]


def compose(middleware: Sequence[Any], endpoint: Step, errors: Errors, greenlets: Greenlets) -> Step:
    """Compose a chain of middleware around an endpoint.

    :param middleware: the middleware, the outermost first.
    :param endpoint: the innermost step. Its mode may be INLINE only if the middleware :func:`stays_inline`.
    :param errors: converts exceptions to responses.
    :param greenlets: runs sync code for async code.
    :returns: the outermost step.
    :raises StartupError: by a middleware that is outside of another one that it needs.
    """
    for index, each in enumerate(middleware):
        if (check := getattr(each, "check_order", None)) is not None:
            check(middleware[index + 1 :])
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
    """Create a step that awaits ``call``, and converts exceptions to responses."""
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
            response = owned(await function(request, call_next))
            if not isinstance(response, Response):
                response = _to_response(response, function)
            return await response.complete(request) if response.pending else response
        except Exception as error:
            error_response: Response = await on_error(request, error)
            return error_response

    return Step(step, RunMode.ASYNC)


def _sync_function(function: Callable[..., Any], call_next: Call, errors: Errors) -> Step:
    """Create the step of a ``def`` middleware, which runs in a greenlet and waits there for an async inner step."""
    on_error = errors.in_mode(RunMode.GREENLET)

    def step(request: Any) -> Response:
        try:
            response = owned(function(request, call_next))
            if not isinstance(response, Response):
                response = _to_response(response, function)
            return await_(response.complete(request)) if response.pending else response
        except Exception as error:
            error_response: Response = on_error(request, error)
            return error_response

    return Step(step, RunMode.GREENLET)


def _to_response(result: Any, function: Callable[..., Any]) -> Response:
    """Convert what a middleware returned. None is no 204: a ``return`` is missing."""
    if result is None:
        message = "returned None; expected a response, such as that of call_next(request)"
        raise result_error(message, function, "middleware")
    return to_response(result, function, "middleware")


def _to_async(step: Step, greenlets: Greenlets) -> Call:
    """Adapt a step for async code: it takes an AsyncRequest and is awaited."""
    call, run_mode = step
    if run_mode is RunMode.ASYNC:
        return call
    return lambda request: greenlets.run(call, request.as_type(Request))


def _to_sync(step: Step) -> Call:
    """Adapt a step for sync code in a greenlet: it takes a Request and returns the response."""
    call, run_mode = step
    if run_mode is RunMode.ASYNC:
        return lambda request: await_(call(request.as_type(AsyncRequest)))
    if inspect.isfunction(call):
        return call
    # A compiled call has no frame. By this one the loop monitor tells a middleware from the inner step.
    return lambda request: call(request)


def _hooks(group: Sequence[Any], inner: Step, errors: Errors, greenlets: Greenlets) -> Step:
    """Create the step of adjacent middlewares with hooks. It runs in the mode of the inner step."""
    waits = inner.run_mode is RunMode.ASYNC

    def adapted(name: str) -> list[tuple[int, Call, bool]]:
        found = [(index, getattr(each, name)) for index, each in enumerate(group) if hasattr(each, name)]
        if waits:
            return [(index, *async_form(hook, greenlets, optional=True)) for index, hook in found]
        return [(index, sync_form(hook, optional=True), False) for index, hook in found]

    before, after = tuple(adapted("before")), tuple(reversed(adapted("after")))
    on_error = errors.in_mode(inner.run_mode)
    return Step(Hooks(before, after, len(group), inner.call, on_error, waits).respond, inner.run_mode)
