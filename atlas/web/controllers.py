"""Controllers: checks at startup, and the conversion of return values to responses."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from copy import copy
from dataclasses import is_dataclass
from typing import Any, get_args

from msgspec import Struct

from atlas.web.asgi import DelegatedResponse
from atlas.web.call_site import definition_of
from atlas.web.responses.response import HTMLResponse, JSONResponse, Response

__all__ = [
    "RETURNED_BY",
    "Controller",
    "check_callable",
    "check_controller",
    "controller_name",
    "is_async",
    "is_coroutine_function",
    "result_error",
    "says_none",
    "takes_more",
    "to_response",
    "to_response_or_none",
]

RETURNED_BY = "_atlas_returned_by"
"""The attribute of an exception with the function whose result cannot be sent. Its frame has ended by then."""

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


def to_response(result: Any, function: Callable[..., Any], what: str = "controller") -> Response:
    """Convert the result of a controller to a response.

    ``str`` is HTML; ``dict``, ``list``, dataclasses and Structs are JSON; ``bytes`` is ``application/octet-stream``;
    None is 204, if the controller says so by its annotation. ``(body, status)`` and ``(body, status, headers)`` convert
    the body, and set status and header fields. An ASGI application sends the response itself.

    :param result: the result of the controller.
    :param function: the controller, for the message.
    :param what: the kind of the function, for the message; ``controller`` by default.
    :raises TypeError: for any other type, and for a value without a JSON form.
    :raises ValueError: for text that is not Unicode, and for a status or a header field that HTTP does not allow.
    """
    convert = _CONVERSIONS.get(type(result)) or _find_conversion(result)
    if convert is not None:
        try:
            return convert(result)
        except (TypeError, ValueError) as error:
            raise _unusable(result, function, what, error) from _cause(error)
    if isinstance(result, Response):
        return result
    if result is None:
        if says_none(function):
            return _no_content()
        raise result_error(
            "returned None: is a 'return' missing? A controller that answers 204 without content has the annotation "
            "'-> None'",
            function,
            what,
        )
    if type(result) is tuple:
        return _from_tuple(result, function, what)
    if callable(result) and not inspect.isclass(result):
        return DelegatedResponse(result)
    raise result_error(_unexpected_result(result, function), function, what)


def _find_conversion(result: Any) -> Callable[[Any], Response] | None:
    """Return the conversion for a subclass of a type that has one, a Struct or a dataclass."""
    for kind, convert in _CONVERSIONS.items():
        if isinstance(result, kind):
            return convert
    if isinstance(result, Struct) or (is_dataclass(result) and not isinstance(result, type)):
        return JSONResponse
    return None


def result_error(
    message: str, function: Callable[..., Any], what: str, kind: type[TypeError | ValueError] = TypeError
) -> TypeError | ValueError:
    """Create the error for a result that cannot be sent; it names the function, whose frame has ended.

    :param message: what is wrong, after the name of the function.
    :param function: the function.
    :param what: the kind of the function, such as ``controller``.
    :param kind: the class of the error.
    """
    place = definition_of(function)
    where = f" ({place[0]}:{place[1]})" if place is not None else ""
    error = kind(f"the {what} {controller_name(function)}{where} {message}")
    setattr(error, RETURNED_BY, function)
    return error


def _unusable(
    result: Any, function: Callable[..., Any], what: str, error: TypeError | ValueError
) -> TypeError | ValueError:
    """Create the error for a result whose conversion has raised one."""
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return result_error(f"returned {_shown(result)} that cannot be sent: {error}", function, what, kind)


def _cause(error: TypeError | ValueError) -> BaseException | None:
    """Return the cause to show: an error that has the same message is none."""
    return error.__cause__ if type(error) in (TypeError, ValueError, UnicodeEncodeError) else error


def _shown(result: Any) -> str:
    name = type(result).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


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
    if inspect.isawaitable(result):
        if (close := getattr(result, "close", None)) is not None:  # a compiled coroutine has it too
            close()  # else Python also warns about a coroutine that was never awaited
        if is_async(function):
            return "returned an awaitable: write 'return await ...'"
        return "returned an awaitable: make it 'async def', and await it there"
    return (
        f"returned {_shown(result)}; expected a Response, str, bytes, dict, list, dataclass, Struct, None, "
        "(body, status), (body, status, headers) or an ASGI application"
    )


def _from_tuple(result: tuple[Any, ...], function: Callable[..., Any], what: str) -> Response:
    status = result[1] if 2 <= len(result) <= 3 else None
    if not isinstance(status, int) or isinstance(status, bool):
        kinds = ", ".join(type(each).__name__ for each in result)
        raise result_error(
            f"returned a tuple ({kinds}); expected (body, status) or (body, status, headers)", function, what
        )
    if not 200 <= status <= 999:
        message = f"returned the status {int(status)}; expected one of three digits, from 200 (RFC 9110 15)"
        raise result_error(message, function, what, ValueError)
    response = _no_content() if result[0] is None else to_response(result[0], function, what)
    if response is result[0]:  # other code may have it
        response = copy(response)
    response.status_code = status
    if len(result) == 3 and result[2]:
        try:
            response.headers.update(result[2])
        except (TypeError, ValueError) as error:
            raise _unusable(result, function, what, error) from _cause(error)
    return response


_CONVERSIONS: dict[type, Callable[[Any], Response]] = {
    str: HTMLResponse,
    dict: JSONResponse,
    list: JSONResponse,
    bytes: lambda result: Response(result, content_type="application/octet-stream"),
    bytearray: lambda result: Response(bytes(result), content_type="application/octet-stream"),
}
