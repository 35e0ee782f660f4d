"""Groups of routes: under a prefix (``Include``), of a host (``Host``), and mounted ASGI applications (``Mount``)."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from atlas._speedups.calls.request import decode_path
from atlas.errors import StartupError
from atlas.gateway.lasgi import SyncToASGI
from atlas.types import ASGIApp, Scope
from atlas.web.asgi import receive_again, start_application
from atlas.web.call_site import caller_place
from atlas.web.controllers import is_async
from atlas.web.middleware.chain import check_middleware
from atlas.web.requests.request import AsyncRequest
from atlas.web.responses.response import Response
from atlas.web.routing.hosts import parse_host
from atlas.web.routing.patterns import Pattern, parse_pattern
from atlas.web.routing.route import ANY, Entry, Route, check_entries
from atlas.web.routing.router import matchable_path, with_routed_path

__all__ = ["Host", "Include", "Mount"]


class Include:
    """Routes under a prefix. They are added to the router at startup, at no cost per request.

    :param prefix: ``/admin``, or with parameters ``/users/{id:int}``, which precede those of the routes.
    :param routes: the routes.
    :param name: a prefix for the names of the routes, as in ``url_for("admin:users")``. Default None.
    :param middleware: the middleware around the routes, inside that of the application. Default none.
    :raises StartupError: for an invalid prefix or middleware; the message names file and line.
    """

    __slots__ = ("middleware", "name", "place", "prefix", "routes")

    def __init__(
        self, prefix: str, routes: Iterable[Entry], *, name: str | None = None, middleware: Iterable[Any] = ()
    ) -> None:
        self.place = caller_place()
        if prefix and not prefix.startswith("/"):
            raise StartupError(f"{self.place}: include {prefix!r}: a prefix starts with '/'")
        self.prefix = prefix.rstrip("/")
        self.routes = check_entries(routes, self.place)
        self.name = name
        self.middleware = check_middleware(middleware, self.place)

    def flat(self) -> Iterator[Route]:
        """Return the routes with prefix, name and middleware added."""
        for entry in self.routes:
            for route in entry.flat():
                yield route.under(self.prefix, name=self.name, middleware=self.middleware)


class Host:
    """Routes of one host. They take precedence over routes without a host.

    A whole name takes precedence over a pattern with parameters, and that over ``*``.

    :param pattern: ``api.example.com``; with parameters ``{tenant}.example.com``, which precede those of the routes,
        and are one label of the name or a part of one; or ``*.example.com`` for all of its subdomains.
    :param routes: the routes.
    :raises StartupError: for a pattern that is not a host name; the message names file and line.
    """

    __slots__ = ("_parsed", "pattern", "routes")

    def __init__(self, pattern: str, routes: Iterable[Entry]) -> None:
        try:
            self.pattern, self._parsed = parse_host(pattern)
        except ValueError as error:
            raise StartupError(f"{caller_place()}: host {pattern!r}: {error}") from None
        self.routes = check_entries(routes, caller_place())

    def flat(self) -> Iterator[Route]:
        """Return the routes, with this host if they do not have one."""
        for entry in self.routes:
            for route in entry.flat():
                own = copy.copy(route)
                if route.host is None:
                    own.host, own.host_pattern = self.pattern, self._parsed
                yield own


class Mount(Route):
    """An ASGI application under a prefix. It receives all requests below the prefix, with any method.

    The prefix is its ``root_path`` (ASGI 3, HTTP connection scope), and its lifespan runs inside that of the Atlas
    application. A ``def`` function is a LASGI application: it runs in a greenlet, and its ``receive`` and ``send``
    wait.

    :param prefix: ``/admin``; ``""`` or ``/`` for all paths.
    :param app: an ASGI 3 or LASGI application.
    :param name: the name of the route, for ``url_for(name, path="...")``. Default None.
    :raises StartupError: for an invalid prefix or application; the message names file and line.
    """

    __slots__ = ("app",)

    def __init__(self, prefix: str, app: ASGIApp, *, name: str | None = None) -> None:
        if not callable(app):
            raise StartupError(f"{caller_place()}: mount {prefix!r}: expected an ASGI application, got {app!r}")
        self.app = app if is_async(app) or not inspect.isroutine(app) else SyncToASGI(app)
        super().__init__(prefix or "/", self.serve, [ANY], name=name)

    def _parse(self, path: str) -> Pattern:
        return parse_pattern(path, rest="path")

    async def serve(self, request: AsyncRequest, *values: Any) -> Response:
        """Call the application; this is the controller of the route.

        :param request: the request.
        :param values: the path parameters of the prefix, not used.
        :returns: the response of the application.
        """
        assert isinstance(request.route, Mount)  # this object, or a copy of it below another prefix
        return await start_application(self.app, request.route.scope_below(request.scope), receive_again(request))

    def scope_below(self, scope: Scope) -> Scope:
        """Return the scope for the application, whose ``root_path`` includes the prefix.

        :param scope: the scope of the Atlas application.
        """
        root = scope.get("root_path", "").rstrip("/")
        path, decoded = matchable_path(scope["path"], scope.get("raw_path"), root)
        matched = b"/".join(path.split(b"/")[: len(self.pattern.segments) - 1])
        below = root + (matched.decode("utf-8", "surrogateescape") if decoded else decode_path(matched, True))
        scope = with_routed_path(scope, path, decoded)
        whole = scope["path"]
        if not (whole + "/").startswith(root + "/"):
            whole = root + whole  # a server that leaves the root path out of the path
        return {**scope, "root_path": below, "path": whole}
