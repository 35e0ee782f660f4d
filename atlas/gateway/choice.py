"""Which gateway calls an application: chosen once, when the server is made, so that a wrong choice stops the start."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from atlas.errors import StartupError
from atlas.gateway.asgi import ASGIGateway
from atlas.gateway.lasgi import PlainToASGI
from atlas.gateway.native import NativeApplication, NativeGateway, is_native
from atlas.types import ASGIApp, Receive, Scope, Send

__all__ = ["Choice", "Interface", "choose"]

Interface: TypeAlias = Literal["native", "asgi", "lasgi"]


@dataclass(frozen=True, slots=True)
class Choice:
    """How an application is called."""

    interface: Interface
    asgi: ASGIApp
    """The application as an ASGI one, whatever it is: its lifespan is told so."""

    def gateway(self, loop: asyncio.AbstractEventLoop) -> ASGIGateway | NativeGateway:
        """A gateway for this application on ``loop``."""
        return (
            NativeGateway(cast(NativeApplication, self.asgi), loop)
            if self.interface == "native"
            else ASGIGateway(self.asgi, loop)
        )


def choose(app: Callable[..., Any], interface: Literal["auto", "asgi", "lasgi"] = "auto") -> Choice:
    """How to call ``app``.

    :param interface: ``asgi``, ``lasgi``, or ``auto``: an application of our own is called natively; what is
        ``async def``, or an object whose ``__call__`` is, is ASGI; a plain ``def`` with three parameters is LASGI.
    :raises StartupError: if it is neither (WSGI, ASGI 2, another number of parameters), or not what was asked for.
    """
    found = _recognised(app)
    if interface == "lasgi" and found != "lasgi":
        raise StartupError(f"--interface lasgi: {_named(app)} is 'async def', so it is ASGI: leave the flag out")
    if interface == "asgi" and found == "lasgi":
        return Choice("asgi", _Returned(app))
    if interface == "auto" and found == "asgi" and is_native(app):
        return Choice("native", app)
    return Choice("lasgi", PlainToASGI(app)) if found == "lasgi" else Choice("asgi", app)


def _recognised(app: Callable[..., Any]) -> Interface:
    if _is_async(app):
        return "asgi"
    if inspect.isclass(app):
        if hasattr(app, "__await__"):  # an object per request that is awaited: ASGI 3 as a class
            return "asgi"
        raise StartupError(f"{_named(app)} is a class{_two_calls(app)}: serve an object of it")
    count = _parameters(app)
    if count is None:
        return "asgi"  # it takes anything, or does not say
    if count != 3:
        raise StartupError(
            f"{_named(app)}: expected 3 parameters (scope, receive, send), got {count}{_HINTS.get(count, '')}"
        )
    return "lasgi"


_HINTS = {
    1: ": is it ASGI 2? asgiref.compatibility.guarantee_single_callable() makes ASGI 3 of it",
    2: ": is it WSGI? a2wsgi.WSGIMiddleware() makes ASGI of it",
}


def _is_async(app: Any) -> bool:
    """Whether it, or what it says that it wraps, is ``async def``."""
    calls = [app] if inspect.isclass(app) else [app, app.__call__]  # an object may have a __call__ of its own
    return any(inspect.iscoroutinefunction(inspect.unwrap(each)) for each in calls)


def _two_calls(app: type[Any]) -> str:
    """ASGI 2 made an object per request, and called that."""
    return " (as ASGI 2 had it)" if _parameters(app) == 1 and callable(getattr(app, "__call__", None)) else ""  # noqa: B004


def _parameters(app: Callable[..., Any]) -> int | None:
    """How many arguments it takes by position; None if that is open."""
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return None
    by_position = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    needed = [each for each in by_position if each.default is each.empty]
    return min(max(3, len(needed)), len(by_position))


def _named(app: Callable[..., Any]) -> str:
    """The application for a message: the name of a function or a class, else what it is an object of."""
    name = getattr(app, "__qualname__", None)
    module = getattr(app if name else type(app), "__module__", "")
    return f"{module}.{name}" if name else f"the {module}.{type(app).__qualname__} object"


class _Returned:
    """A plain ``def`` that is said to be ASGI, and so has to return an awaitable."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        result = self._app(scope, receive, send)
        if not inspect.isawaitable(result):
            raise TypeError(
                f"--interface asgi: expected {_named(self._app)} to return an awaitable, got {result!r}; without the "
                "flag it is served as plain code (LASGI)"
            )
        await result
