"""Controllers: the functions that answer requests, and what their return values mean."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any

from msgspec import Struct

from atlas.web.asgi import DelegatedResponse
from atlas.web.responses.response import HTMLResponse, JSONResponse, Response

__all__ = [
    "Controller",
    "check_callable",
    "check_controller",
    "controller_name",
    "is_async",
    "is_coroutine_function",
    "takes_more",
    "to_response",
]

_METHODS = ("get", "post", "put", "patch", "delete", "head", "options")


class Controller:
    """Controllers of one path as the methods of a class: ``get(self, request, ...)``, ``post`` and so on.

    Each is ``def`` or ``async def``. One object is made at start-up and answers all requests, so what belongs to a
    request has no place on ``self``.
    """

    @classmethod
    def methods(cls) -> tuple[str, ...]:
        """The methods that the class answers. :raises ValueError: if there is none."""
        there = tuple(name.upper() for name in _METHODS if callable(getattr(cls, name, None)))
        if not there:
            raise ValueError(f"the class {cls.__name__} has no method named as one of HTTP: " + ", ".join(_METHODS))
        return there


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives something to await: an ``async def``, a partial of one, an object with such a call."""
    call = getattr(function, "__call__", None)  # noqa: B004  # not "is it callable" but "what is its call"
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def is_coroutine_function(function: Callable[..., Any]) -> bool:
    """Whether it is an ``async def`` function or method itself, so that calling it runs nothing of it."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return code is not None and bool(code.co_flags & inspect.CO_COROUTINE)


def check_controller(function: Callable[..., Any], parameters: int) -> None:
    """Find out at start-up whether a controller can be called with the request and so many path parameters.

    :raises ValueError: if it cannot.
    """
    plural = "" if parameters == 1 else "s"
    check_callable(function, 1 + parameters, "controller", f"the request and {parameters} path parameter{plural}")


def takes_more(function: Callable[..., Any], arguments: int) -> bool:
    """Whether a function has to be called with more than so many arguments by position."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    return sum(each.default is each.empty for each in positional) > arguments


def check_callable(function: Callable[..., Any], arguments: int, what: str, given: str) -> None:
    """Find out whether a function takes so many arguments by position.

    :param what: what the function is, for the message. :param given: what it will be called with, in words.
    :raises ValueError: if it does not, or cannot be called at all.
    """
    if not callable(function):
        raise ValueError(f"the {what} is {function!r}, expected a function")
    if inspect.isclass(function):
        raise ValueError(f"the {what} {function.__name__} is a class, expected a function")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-in functions tell nothing
        return
    try:
        signature.bind(*[None] * arguments)
    except TypeError:
        name = controller_name(function)
        raise ValueError(f"the {what} {name}{signature} is called with {given}") from None


def controller_name(function: Callable[..., Any]) -> str:
    """A short name for messages and ``url_for``."""
    inner = inspect.unwrap(getattr(function, "func", function))
    return str(getattr(inner, "__name__", type(inner).__name__))


def to_response(result: Any, function: Callable[..., Any]) -> Response:
    """What a controller returned, as a response.

    ``str`` is HTML; ``dict``, ``list``, dataclasses and Structs are JSON; ``bytes`` are octets; None is 204;
    ``(body, status)`` and ``(body, status, headers)`` add to the body's own response; an ASGI callable answers itself.

    :param function: the controller, for the message.
    :raises TypeError: for anything else.
    """
    convert = _CONVERSIONS.get(type(result))
    if convert is not None:
        return convert(result)
    if isinstance(result, Response):
        return result
    if type(result) is tuple:
        return _from_tuple(result, function)
    for kind, convert in _CONVERSIONS.items():
        if isinstance(result, kind):
            return convert(result)
    if isinstance(result, Struct) or (is_dataclass(result) and not isinstance(result, type)):
        return JSONResponse(result)
    if callable(result) and not inspect.isclass(result):
        return DelegatedResponse(result)
    raise TypeError(_complaint(result, function))


def _complaint(result: Any, function: Callable[..., Any]) -> str:
    name = controller_name(function)
    if inspect.isawaitable(result):
        if (close := getattr(result, "close", None)) is not None:  # also of a compiled coroutine
            close()  # otherwise Python warns of a coroutine that was never awaited, beside the real message
        return f"the controller {name} returned something to await: make it 'async def' and await it there"
    return (
        f"the controller {name} returned a {type(result).__name__}; expected a Response, str, bytes, dict, list, "
        "dataclass, Struct, None, (body, status), (body, status, headers) or an ASGI application"
    )


def _from_tuple(result: tuple[Any, ...], function: Callable[..., Any]) -> Response:
    if not 2 <= len(result) <= 3 or not isinstance(result[1], int):
        raise TypeError(
            f"the controller {controller_name(function)} returned a tuple; expected (body, status[, headers])"
        )
    response = to_response(result[0], function)
    response.status_code = result[1]
    if len(result) == 3 and result[2]:
        response.headers.update(result[2])
    return response


_CONVERSIONS: dict[type, Callable[[Any], Response]] = {
    str: HTMLResponse,
    dict: JSONResponse,
    list: JSONResponse,
    bytes: lambda result: Response(result, content_type="application/octet-stream"),
    bytearray: lambda result: Response(bytes(result), content_type="application/octet-stream"),
    type(None): lambda result: Response(b"", 204, content_type=""),
}
