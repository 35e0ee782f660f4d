"""The chain of middleware around a controller, composed once, at start-up.

Three styles may be mixed, the first one listed being the outermost:

* a function ``def mw(request, call_next)`` or ``async def mw(request, call_next)`` that returns a response, usually the
  one of ``call_next(request)``;
* an object with ``before(request)``, ``after(request, response)``, or both, each ``def`` or ``async def``. ``before``
  may return a response, which ends it there; ``after`` may return another response. Neighbours of this style share one
  step, so that they cost next to nothing, and they are the same for controllers of either colour;
* a pure ASGI class, as ``Middleware(Class, **options)``.

An object may have ``bind(application)``, which is called once, at start-up. An exception becomes a response inside the
step where it was raised, so every middleware sees responses only: an error page has the headers of any other page.
``after`` runs, in reverse order, for those whose ``before`` returned, whatever came of the request then.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from itertools import groupby
from typing import Any, NamedTuple, Protocol

from atlas.errors import StartupError
from atlas.gateway.greenlets import Greenlets, await_
from atlas.web.controllers import check_callable, is_async, to_response
from atlas.web.middleware.foreign import Middleware, foreign_step
from atlas.web.requests.request import AsyncRequest, Request
from atlas.web.responses.response import Response

__all__ = ["Colour", "Errors", "Step", "bind", "check_middleware", "compose", "to_async"]

Call = Callable[[Any], Any]


class Colour(Enum):
    """How a step is called."""

    PLAIN = "plain"  # called
    GREENLET = "greenlet"  # called in a greenlet, because it may wait
    ASYNC = "async"  # awaited


class Step(NamedTuple):
    """A part of the chain: takes a request (``AsyncRequest`` if it is async) and gives a Response. Never raises an
    Exception, except for ClientDisconnected."""

    call: Call
    colour: Colour


class Errors(Protocol):
    """What makes responses of exceptions."""

    waits: bool  # whether that may need an await

    def answer_now(self, request: Any, error: Exception) -> Response: ...
    async def answer(self, request: Any, error: Exception) -> Response: ...


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


def compose(middleware: Sequence[Any], endpoint: Step, errors: Errors, greenlets: Greenlets) -> Step:
    """One step of the middleware and what it stands around."""
    step = endpoint
    for kind, group in groupby(reversed(middleware), key=_style):
        if kind == "hooks":
            step = _hooks_step(list(group)[::-1], step, errors, greenlets)
        else:
            for each in group:
                step = _around(each, step, errors, greenlets)
    return step


def _style(each: Any) -> str:
    return "hooks" if not isinstance(each, Middleware) and _has_hooks(each) else "around"


def _around(each: Any, inner: Step, errors: Errors, greenlets: Greenlets) -> Step:
    if isinstance(each, Middleware):
        return Step(_guarded(foreign_step(each, to_async(inner, greenlets)), errors), Colour.ASYNC)
    if is_async(each):
        return _async_function(each, to_async(inner, greenlets), errors)
    return _plain_function(each, inner, errors)


def to_async(step: Step, greenlets: Greenlets) -> Call:
    """A step as an ``async def`` that takes an AsyncRequest."""
    call, colour = step
    if colour is Colour.ASYNC:
        return call

    async def plain(request: Any) -> Any:
        return call(request.seen_as(Request))

    async def waiting(request: Any) -> Any:
        return await greenlets.run(call, request.seen_as(Request))

    return plain if colour is Colour.PLAIN else waiting


def _guarded(call: Call, errors: Errors) -> Call:
    async def step(request: Any) -> Response:
        try:
            response: Response = await call(request)
            return response
        except Exception as error:
            return await errors.answer(request, error)

    return step


def _async_function(function: Callable[..., Any], inner: Call, errors: Errors) -> Step:
    async def step(request: Any) -> Response:
        try:
            response = await function(request, inner)
            return response if isinstance(response, Response) else to_response(response, function)
        except Exception as error:
            return await errors.answer(request, error)

    return Step(step, Colour.ASYNC)


def _plain_function(function: Callable[..., Any], inner: Step, errors: Errors) -> Step:
    """A ``def`` middleware. Around something async it runs in a greenlet, and waits there for what is inside."""
    call_next = _in_plain_code(inner)
    answer, waits = _answer_in_plain_code(errors)

    def step(request: Any) -> Response:
        try:
            response = function(request, call_next)
            return response if isinstance(response, Response) else to_response(response, function)
        except Exception as error:
            return answer(request, error)

    return Step(step, Colour.PLAIN if inner.colour is Colour.PLAIN and not waits else Colour.GREENLET)


def _in_plain_code(inner: Step) -> Call:
    call = inner.call
    if inner.colour is not Colour.ASYNC:
        return call
    return lambda request: await_(call(request.seen_as(AsyncRequest)))


def _answer_in_plain_code(errors: Errors) -> tuple[Callable[[Any, Exception], Response], bool]:
    if not errors.waits:
        return errors.answer_now, False
    return (lambda request, error: await_(errors.answer(request, error))), True


def _hooks_step(group: Sequence[Any], inner: Step, errors: Errors, greenlets: Greenlets) -> Step:
    hooks = _Hooks(group)
    if hooks.waits:
        return Step(_waiting_hooks(hooks, to_async(inner, greenlets), errors), Colour.ASYNC)
    if inner.colour is Colour.ASYNC or errors.waits:
        return Step(_hooks_around_async(hooks, to_async(inner, greenlets), errors), Colour.ASYNC)
    return Step(_hooks_around_plain(hooks, inner.call, errors), inner.colour)


class _Hooks:
    """The hooks of neighbours, each with the place of its middleware among them.

    A middleware counts as entered once its ``before`` has returned, or once it is passed if it has none. ``after`` is
    called for those that were entered: their places are below the number of the entered ones.
    """

    def __init__(self, group: Sequence[Any]) -> None:
        self.count = len(group)
        self.befores = tuple((place, each.before) for place, each in enumerate(group) if hasattr(each, "before"))
        afters = [(place, each.after) for place, each in enumerate(group) if hasattr(each, "after")]
        self.afters = tuple(reversed(afters))
        self.waits = any(is_async(call) for _, call in self.befores + self.afters)


# The three below are one thing in three colours. One function for all would make the quick ones slow.


def _hooks_around_plain(hooks: _Hooks, inner: Call, errors: Errors) -> Call:
    befores, afters, count = hooks.befores, hooks.afters, hooks.count

    def step(request: Any) -> Response:
        entered, response = 0, None
        try:
            for entered, before in befores:
                if (response := before(request)) is not None:
                    response = _as_response(response, before)
                    entered += 1
                    break
            else:
                entered, response = count, inner(request)
        except Exception as error:
            response = errors.answer_now(request, error)
        for place, after in afters:
            if place < entered:
                try:
                    if (changed := after(request, response)) is not None:
                        response = _as_response(changed, after)
                except Exception as error:
                    response = errors.answer_now(request, error)
        return response

    return step


def _hooks_around_async(hooks: _Hooks, inner: Call, errors: Errors) -> Call:
    befores, afters, count = hooks.befores, hooks.afters, hooks.count

    async def step(request: Any) -> Response:
        entered, response = 0, None
        try:
            for entered, before in befores:
                if (response := before(request)) is not None:
                    response = _as_response(response, before)
                    entered += 1
                    break
            else:
                entered, response = count, await inner(request)
        except Exception as error:
            response = await errors.answer(request, error)
        for place, after in afters:
            if place < entered:
                try:
                    if (changed := after(request, response)) is not None:
                        response = _as_response(changed, after)
                except Exception as error:
                    response = await errors.answer(request, error)
        return response

    return step


def _waiting_hooks(hooks: _Hooks, inner: Call, errors: Errors) -> Call:
    befores = tuple((place, before, is_async(before)) for place, before in hooks.befores)
    afters = tuple((place, after, is_async(after)) for place, after in hooks.afters)
    count = hooks.count

    async def step(request: Any) -> Response:
        entered, response = 0, None
        try:
            for entered, before, waits in befores:
                response = before(request)
                if waits:
                    response = await response
                if response is not None:
                    response = _as_response(response, before)
                    entered += 1
                    break
            else:
                entered, response = count, await inner(request)
        except Exception as error:
            response = await errors.answer(request, error)
        for place, after, waits in afters:
            if place < entered:
                try:
                    changed = after(request, response)
                    if waits:
                        changed = await changed
                    if changed is not None:
                        response = _as_response(changed, after)
                except Exception as error:
                    response = await errors.answer(request, error)
        return response

    return step


def _as_response(result: Any, hook: Call) -> Response:
    return result if isinstance(result, Response) else to_response(result, hook)
