"""Controllers: checks at startup, and the conversion of return values to responses."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from copy import copy
from dataclasses import is_dataclass
from typing import Any, NoReturn, get_args

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
    "says_none",
    "takes_more",
    "to_response",
    "to_response_or_none",
]

_METHODS = ("get", "post", "put", "patch", "delete", "head", "options")


class Controller:
    """Base of class-based controllers, with a method for each HTTP method: ``get(self, request, ...)``, ``post``, ...

    Each method is ``def`` or ``async def``. One instance is created at startup and shared by all requests: do not store
    values of a request on ``self``.
    """

    @classmethod
    def methods(cls) -> tuple[str, ...]:
        """Return the HTTP methods for which the class has a method.

        :raises ValueError: if there is none.
        """
        there = tuple(name.upper() for name in _METHODS if callable(getattr(cls, name, None)))
        if not there:
            raise ValueError(f"the class {cls.__name__} has no method for an HTTP method: " + ", ".join(_METHODS))
        return there


def is_async(function: Callable[..., Any]) -> bool:
    """Return whether a call returns an awaitable: an ``async def``, a partial of one, an object with an async
    ``__call__``.

    :param function: a callable.
    """
    call = getattr(function, "__call__", None)  # noqa: B004  # the method is needed, not whether it exists
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def is_coroutine_function(function: Callable[..., Any]) -> bool:
    """Return whether a callable is an ``async def`` function or method itself, so that a call runs none of its code.

    :param function: a callable.
    """
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return code is not None and bool(code.co_flags & inspect.CO_COROUTINE)


def check_controller(function: Callable[..., Any], parameters: int) -> None:
    """Check that a controller can be called with the request and its path parameters.

    :param function: the controller.
    :param parameters: the number of path parameters.
    :raises ValueError: if it cannot.
    """
    plural = "" if parameters == 1 else "s"
    check_callable(function, 1 + parameters, "controller", f"the request and {parameters} path parameter{plural}")


def takes_more(function: Callable[..., Any], arguments: int) -> bool:
    """Return whether a function requires more than ``arguments`` positional arguments; False without a signature.

    :param function: a callable.
    :param arguments: the number of positional arguments.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    return sum(each.default is each.empty for each in positional) > arguments


def check_callable(function: Callable[..., Any], arguments: int, what: str, given: str) -> None:
    """Check that a function can be called with a number of positional arguments.

    :param function: the function.
    :param arguments: the number of positional arguments.
    :param what: the kind of the function, for the message, such as ``controller``.
    :param given: a description of the arguments, for the message.
    :raises ValueError: if it cannot, is not callable, or is a class.
    """
    if not callable(function):
        raise ValueError(f"the {what} is {function!r}, expected a function")
    if inspect.isclass(function):
        raise ValueError(f"the {what} {function.__name__} is a class, expected a function")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-in functions have no signature
        return
    try:
        signature.bind(*[None] * arguments)
    except TypeError:
        name = controller_name(function)
        raise ValueError(f"the {what} {name}{signature} is called with {given}") from None


def controller_name(function: Callable[..., Any]) -> str:
    """Return the name of a controller, for messages and ``url_for``; the name of its class for an object.

    :param function: the controller.
    """
    inner = inspect.unwrap(getattr(function, "func", function))
    return str(getattr(inner, "__name__", type(inner).__name__))


def to_response(result: Any, function: Callable[..., Any]) -> Response:
    """Convert the result of a controller to a response.

    ``str`` is HTML; ``dict``, ``list``, dataclasses and Structs are JSON; ``bytes`` is ``application/octet-stream``;
    None is 204, if the controller says so by its annotation. ``(body, status)`` and ``(body, status, headers)`` convert
    the body, and set status and header fields. An ASGI application sends the response itself.

    :param result: the result of the controller.
    :param function: the controller, for the message.
    :raises TypeError: for any other type, and for a value without a JSON form.
    :raises ValueError: for text that is not Unicode.
    """
    convert = _CONVERSIONS.get(type(result)) or _find_conversion(result)
    if convert is not None:
        try:
            return convert(result)
        except (TypeError, ValueError) as error:
            _fail(result, function, error)
    if isinstance(result, Response):
        return result
    if result is None:
        if says_none(function):
            return _no_content()
        raise TypeError(
            f"the controller {_name_and_place(function)} returned None: is a 'return' missing? "
            "A controller that answers 204 without content has the annotation '-> None'"
        )
    if type(result) is tuple:
        return _from_tuple(result, function)
    if callable(result) and not inspect.isclass(result):
        return DelegatedResponse(result)
    raise TypeError(_unexpected_result(result, function))


def _find_conversion(result: Any) -> Callable[[Any], Response] | None:
    """Return the conversion for a subclass of a type that has one, a Struct or a dataclass."""
    for kind, convert in _CONVERSIONS.items():
        if isinstance(result, kind):
            return convert
    if isinstance(result, Struct) or (is_dataclass(result) and not isinstance(result, type)):
        return JSONResponse
    return None


def _fail(result: Any, function: Callable[..., Any], error: TypeError | ValueError) -> NoReturn:
    """Raise an error of the conversion again, with the name of the controller, whose frame has ended."""
    message = f"the controller {_name_and_place(function)} returned a {type(result).__name__} that cannot be sent"
    kind = TypeError if isinstance(error, TypeError) else ValueError
    raise kind(f"{message}: {error}") from (error.__cause__ if type(error) is kind else error)


def _name_and_place(function: Callable[..., Any]) -> str:
    inner = inspect.unwrap(getattr(function, "func", function))
    code = getattr(getattr(inner, "__func__", inner), "__code__", None)
    place = f" ({code.co_filename}:{code.co_firstlineno})" if code is not None else ""
    return controller_name(function) + place


def to_response_or_none(result: Any, function: Callable[..., Any]) -> Response:
    """Convert a result as :func:`to_response` does; None is 204. For controllers of which :func:`says_none` is true.

    :param result: the result of the controller.
    :param function: the controller, for the message.
    :raises TypeError: for any other type.
    """
    return _no_content() if result is None else to_response(result, function)


def says_none(function: Callable[..., Any]) -> bool:
    """Return whether a function says that it may return None: by its annotation, ``-> None`` or ``-> str | None``.

    Without it, None is probably a forgotten ``return``. A lambda cannot forget it, and has no annotation.

    :param function: a callable.
    """
    if getattr(function, "__name__", "") == "<lambda>":
        return True
    try:
        said = inspect.signature(function).return_annotation
    except (TypeError, ValueError):  # some built-in functions have no signature
        return True
    if isinstance(said, str):  # from __future__ import annotations
        return _SAYS_NONE.search(said) is not None
    return said is None or said is type(None) or type(None) in get_args(said)


_SAYS_NONE = re.compile(r"\b(None|Optional)\b")


def _no_content() -> Response:
    return Response(b"", 204, content_type="")


def _unexpected_result(result: Any, function: Callable[..., Any]) -> str:
    name = controller_name(function)
    if inspect.isawaitable(result):
        if (close := getattr(result, "close", None)) is not None:  # a compiled coroutine has it too
            close()  # else Python also warns about a coroutine that was never awaited
        return f"the controller {name} returned an awaitable: make it 'async def', and await it there"
    return (
        f"the controller {name} returned a {type(result).__name__}; expected a Response, str, bytes, dict, list, "
        "dataclass, Struct, None, (body, status), (body, status, headers) or an ASGI application"
    )


def _from_tuple(result: tuple[Any, ...], function: Callable[..., Any]) -> Response:
    if not 2 <= len(result) <= 3 or not isinstance(result[1], int):
        raise TypeError(
            f"the controller {controller_name(function)} returned a tuple; expected (body, status[, headers])"
        )
    response = to_response_or_none(result[0], function)
    if response is result[0]:  # other code may have it
        response = copy(response)
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
}
