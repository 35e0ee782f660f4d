"""Detects the interface of an application: native, ASGI 3 or LASGI. A server does so once, before it starts."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from atlas.errors import StartupError
from atlas.gateway.asgi import ASGIGateway
from atlas.gateway.lasgi import SyncToASGI
from atlas.gateway.native import NativeApplication, NativeGateway, is_native
from atlas.gateway.page_refresh import PageRefresh
from atlas.gateway.refreshing_application import RefreshingApplication
from atlas.types import ASGIApp, Receive, Scope, Send

__all__ = ["DetectedInterface", "Interface", "detect_interface"]

Interface: TypeAlias = Literal["native", "asgi", "lasgi"]


@dataclass(frozen=True, slots=True)
class DetectedInterface:
    """The interface of an application."""

    interface: Interface
    asgi_app: ASGIApp
    """The application as an ASGI 3 application, whatever its interface is; for the lifespan."""

    def new_gateway(self, loop: asyncio.AbstractEventLoop) -> ASGIGateway | NativeGateway:
        """Return a gateway that calls the application on ``loop``."""
        if self.interface == "native":
            return NativeGateway(cast(NativeApplication, self.asgi_app), loop)
        return ASGIGateway(self.asgi_app, loop)

    def with_page_refresh(self, pages: PageRefresh) -> DetectedInterface:
        """Return the application with pages that load again when files change, for development.

        :param pages: the open pages.
        """
        if self.interface == "native":
            cast(NativeApplication, self.asgi_app).refresh_pages(pages)
            return self
        return DetectedInterface("asgi", RefreshingApplication(self.asgi_app, pages))


def detect_interface(
    app: Callable[..., Any], interface: Literal["auto", "asgi", "lasgi"] = "auto"
) -> DetectedInterface:
    """Detect the interface of an application.

    :param app: the application.
    :param interface: ``asgi`` or ``lasgi`` if it is known; ``auto``: an :class:`atlas.Application` is native, an
        ``async def`` or an object with an ``async def __call__`` is ASGI 3, a ``def`` with three parameters is LASGI.
    :raises StartupError: for any other application (WSGI, ASGI 2, another number of parameters), or one that does not
        have the given interface.
    """
    found = _detect(app)
    if interface == "lasgi" and found != "lasgi":
        raise StartupError(f"--interface lasgi: {_name_of(app)} is 'async def', so it is ASGI: leave the flag out")
    if interface == "asgi" and found == "lasgi":
        return DetectedInterface("asgi", _AwaitableResult(app))
    if interface == "auto" and found == "asgi" and is_native(app):
        return DetectedInterface("native", app)
    return DetectedInterface("lasgi", SyncToASGI(app)) if found == "lasgi" else DetectedInterface("asgi", app)


def _detect(app: Callable[..., Any]) -> Interface:
    if _is_async(app):
        return "asgi"
    if inspect.isclass(app):
        if hasattr(app, "__await__"):  # an instance per request that is awaited: ASGI 3 as a class
            return "asgi"
        raise StartupError(f"{_name_of(app)} is a class{_asgi2_hint(app)}: serve an instance of it")
    count = _count_parameters(app)
    if count is None:
        return "asgi"  # *args, or no signature
    if count != 3:
        raise StartupError(
            f"{_name_of(app)}: expected 3 parameters (scope, receive, send), got {count}{_HINTS.get(count, '')}"
        )
    return "lasgi"


_HINTS = {
    1: ": is it ASGI 2? asgiref.compatibility.guarantee_single_callable() converts it to ASGI 3",
    2: ": is it WSGI? a2wsgi.WSGIMiddleware() converts it to ASGI",
}


def _is_async(app: Any) -> bool:
    """Return whether the application, or the function that it wraps, is ``async def``."""
    calls = [app] if inspect.isclass(app) else [app, app.__call__]  # the __call__ of an instance
    return any(inspect.iscoroutinefunction(inspect.unwrap(each)) for each in calls)


def _asgi2_hint(app: type[Any]) -> str:
    """Return a hint if the class may be an ASGI 2 application, which is instantiated for each request and called."""
    is_asgi2 = _count_parameters(app) == 1 and callable(getattr(app, "__call__", None))  # noqa: B004
    return " (an ASGI 2 application?)" if is_asgi2 else ""


def _count_parameters(app: Callable[..., Any]) -> int | None:
    """Return the number of positional parameters; None if it is not limited or unknown."""
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return None
    by_position = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    needed = [each for each in by_position if each.default is each.empty]
    return min(max(3, len(needed)), len(by_position))


def _name_of(app: Callable[..., Any]) -> str:
    """Return the qualified name of a function or a class, or a description with the class of another object."""
    name = getattr(app, "__qualname__", None)
    module = getattr(app if name else type(app), "__module__", "")
    return f"{module}.{name}" if name else f"the {module}.{type(app).__qualname__} object"


class _AwaitableResult:
    """Calls a ``def`` that is an ASGI application according to ``--interface asgi``: it has to return an awaitable."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        result = self._app(scope, receive, send)
        if not inspect.isawaitable(result):
            raise TypeError(
                f"--interface asgi: expected {_name_of(self._app)} to return an awaitable, got {result!r}; without the "
                "flag it is served as a sync function (LASGI)"
            )
        await result
