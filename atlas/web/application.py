"""The application: an ASGI 3 callable made of routes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import copy_context
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar

from atlas._speedups.calls.handlers import Handler, RunMode, call_handler
from atlas._speedups.calls.route_table import RouteTable
from atlas.errors import ClientDisconnected, StartupError
from atlas.gateway.greenlets import Greenlets
from atlas.gateway.jobs import Job
from atlas.gateway.threads import ThreadPool
from atlas.types import Receive, Scope, Send
from atlas.web.asgi import close_applications
from atlas.web.background import CURRENT, Background
from atlas.web.call_site import caller_place
from atlas.web.config import Config
from atlas.web.endpoint import endpoint
from atlas.web.error_handlers import ErrorHandlers
from atlas.web.headers import Headers, RawHeaders
from atlas.web.lifespan import Lifespan, LifespanFunction
from atlas.web.middleware.chain import Step, bind, check_middleware, compose, stays_inline
from atlas.web.middleware.timeout import Timeout
from atlas.web.mounts import Mount
from atlas.web.requests.request import AsyncRequest, Request, RequestHead
from atlas.web.responses.response import Response
from atlas.web.routing.no_match import answer_no_match
from atlas.web.routing.route import WEBSOCKET, Entry, Route
from atlas.web.routing.router import Match, NoMatch, RouteInfo, Router, matchable_path
from atlas.web.state import State
from atlas.web.static import configured_static
from atlas.web.websocket import WebSocketRoute, refuse

if TYPE_CHECKING:
    from atlas.web.templates import Templates

__all__ = ["Application"]

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")


class Application:
    """Routes and what they share. It runs under any ASGI 3 server, and at its best under Atlas's own.

    :param routes: the routes; more can be added by the decorators.
    :param middleware: what stands around every controller and every error page, the first one outermost; see
        :mod:`atlas.web.middleware.chain`.
    :param exception_handlers: ``handler(request, error)`` by status code or by exception class.
    :param lifespan: an async context manager function around the application's life, given the application.
    :param config: a mapping, or a module with lower-case values, see :class:`atlas.web.config.Config`.
    :param debug: show tracebacks on error pages; overrides the configuration.
    :raises StartupError: for what cannot work: it names file and line, or the setting.
    """

    # What the native gateway asks for, beside dispatch and greenlets.
    current: ClassVar = CURRENT
    plain_call: ClassVar = staticmethod(Response.__call__)

    def __init__(
        self,
        routes: Iterable[Entry] = (),
        *,
        middleware: Iterable[Any] = (),
        exception_handlers: Mapping[int | type[Exception], Callable[..., Any]] | None = None,
        lifespan: LifespanFunction | None = None,
        config: Mapping[str, Any] | ModuleType | None = None,
        debug: bool | None = None,
    ) -> None:
        place = caller_place()
        self.config = Config.read(config, debug=debug)
        self.state = State()
        self.router = Router(routes)
        if (static := configured_static(self.config.static_dirs, self.router.routes)) is not None:
            self.router.add(static)
        self._lifespan = Lifespan(self, lifespan)
        self.greenlets = Greenlets()
        self.errors = ErrorHandlers(debug=self.config.debug, greenlets=self.greenlets)
        self._threads = ThreadPool()
        self._background = Background()
        self._lifespan.prepare, self._lifespan.drain = self._start, self._background.drain
        self._template_folders = _template_folders(place, self.config)
        self._templates: Templates | None = None
        self._middleware = check_middleware(middleware, place)
        self._bound: list[Any] = []
        self.dispatch = RouteTable(self, Request, AsyncRequest)
        for key, handler in (exception_handlers or {}).items():
            self.errors.add(key, handler, place)

    @property
    def answers_natively(self) -> bool:
        """Whether our own server may go past :meth:`__call__`: not where a subclass or a wrapper has replaced it."""
        return type(self).__call__ is _OWN_CALL

    @property
    def debug(self) -> bool:
        """Whether error pages show tracebacks."""
        return self.config.debug

    @property
    def templates(self) -> Templates:
        """The templates; Jinja2 is loaded when they are first asked for, or at start-up if there is a folder."""
        if self._templates is None:
            from atlas.web.templates import Templates

            self._templates = Templates(self._template_folders, reload=self.debug)
        return self._templates

    def route(self, path: str, methods: Iterable[str] | None = None, **options: Any) -> Callable[[F], F]:
        """Decorator: ``@app.route("/users/{name}", methods=["GET", "POST"])`` is :class:`Route` written above."""

        def add(controller: F) -> F:
            self.router.add(Route(path, controller, ("GET",) if methods is None else methods, **options))
            self._rebuild()
            return controller

        return add

    def get(self, path: str, **options: Any) -> Callable[[F], F]:
        """Decorator: a route for GET (and HEAD)."""
        return self.route(path, ("GET",), **options)

    def post(self, path: str, **options: Any) -> Callable[[F], F]:
        """Decorator: a route for POST."""
        return self.route(path, ("POST",), **options)

    def put(self, path: str, **options: Any) -> Callable[[F], F]:
        """Decorator: a route for PUT."""
        return self.route(path, ("PUT",), **options)

    def patch(self, path: str, **options: Any) -> Callable[[F], F]:
        """Decorator: a route for PATCH."""
        return self.route(path, ("PATCH",), **options)

    def delete(self, path: str, **options: Any) -> Callable[[F], F]:
        """Decorator: a route for DELETE."""
        return self.route(path, ("DELETE",), **options)

    def websocket(self, path: str, **options: Any) -> Callable[[F], F]:
        """Decorator: a route for WebSocket handshakes, see :class:`atlas.web.websocket.WebSocketRoute`."""

        def add(controller: F) -> F:
            self.router.add(WebSocketRoute(path, controller, **options))
            self._rebuild()
            return controller

        return add

    def exception_handler(self, key: int | type[Exception]) -> Callable[[F], F]:
        """Decorator: ``handler(request, error)`` answers errors of a status code or an exception class."""

        def add(handler: F) -> F:
            self.errors.add(key, handler, caller_place())
            self._rebuild()
            return handler

        return add

    def middleware(self, function: F) -> F:
        """Decorator: a middleware, inside of those that are there already."""
        self._middleware += check_middleware([function], caller_place())
        self._rebuild()
        return function

    def on_startup(self, function: F) -> F:
        """Decorator: called before the first request; with the application, if it takes an argument."""
        self._lifespan.on_startup.append(function)
        return function

    def on_shutdown(self, function: F) -> F:
        """Decorator: called after the last request; the last one added first."""
        self._lifespan.on_shutdown.append(function)
        return function

    def url_for(self, name: str, /, **params: Any) -> str:
        """The path of a route; what its pattern has no place for becomes the query.

        :raises LookupError: for an unknown name. :raises ValueError: for a missing or impossible parameter.
        """
        return self.router.url_for(name, params)

    def iter_routes(self) -> Iterator[RouteInfo]:
        """Every route, in the order in which they were added."""
        return iter(self.router)

    def background(self, function: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call a function after the last byte of the current response; soon, where there is no request.

        An ``async def`` runs on the event loop, any other function in a thread. 64 run at a time, the others stand in
        line; a failure is logged; at shutdown they have half a minute.

        :raises RuntimeError: if too many stand in line, or no event loop runs here.
        """
        self._background.add(Job(function, args, kwargs, copy_context()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        if scope["type"] != "http":
            await self._serve_other(scope, receive, send)
            return
        found: Match | NoMatch | None = None
        if self.dispatch.is_ready and not scope.get("root_path"):
            found = self.dispatch.find(scope["method"], scope.get("raw_path") or b"")
        if found is None:
            found = self._match(scope)
        if isinstance(found, NoMatch):
            request, handler = self._missed(scope, receive, found)
        else:
            request, handler = self.dispatch.take(scope, receive, found)
        CURRENT.set(request)
        try:
            response = call_handler(handler, request, self.greenlets)
            if not isinstance(response, Response):
                response = await response
            await response(scope, receive, send)
        except ClientDisconnected:
            return  # there is no client to answer, and nothing went wrong here
        finally:
            request._over = True
            if request._jobs is not None:
                self._background.start(request)
            if request._applications is not None:
                await close_applications(request)

    def _missed(self, scope: Scope, receive: Receive, miss: NoMatch) -> tuple[AsyncRequest | Request, Handler]:
        """A request that no route fits, and what answers it."""
        handler = self.dispatch.handler_of(None, False)
        request = (AsyncRequest if handler.run_mode is RunMode.ASYNC else Request)(self, scope, receive)
        request._cache.no_match = miss
        return request, handler

    async def _serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self._lifespan(scope, receive, send)
        elif kind == "websocket":
            await self._shake_hands(scope, receive, send)
        else:
            raise RuntimeError(f"expected a scope of type http, websocket or lifespan, got {kind!r}")

    def prepare(self) -> None:
        """Do whatever can be done before the first request. Done by itself at start-up; a second time costs nothing.

        :raises StartupError: for what cannot work.
        """
        if not self.dispatch.is_ready:
            self._build()

    def _start(self) -> None:
        if self.config.log_level is not None:
            logging.getLogger("atlas.web").setLevel(self.config.log_level.upper())
        self.prepare()
        if self._template_folders:
            _ = self.templates  # loading Jinja2 takes a tenth of a second, which the first visitor shall not wait for
        mounted = {id(route.app): route.app for route in self.router.routes if isinstance(route, Mount)}
        self._lifespan.mounted = list(mounted.values())

    async def drain(self) -> None:
        """Wait for the background work; done by itself at shutdown."""
        await self._background.drain()

    async def close_applications(self, request: RequestHead) -> None:
        """End the ASGI applications of a request whose responses were not sent: for the native gateway."""
        await close_applications(request)

    def start_jobs(self, request: RequestHead) -> None:
        """Start the background work of a request that is over: for the native gateway."""
        self._background.start(request)

    async def _shake_hands(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.prepare()
        found = self._match({**scope, "method": WEBSOCKET})
        if not isinstance(found, NoMatch) and isinstance(found[0], Mount):
            await found[0].app(found[0].scope_below(scope), receive, send)
        else:
            await refuse(scope, receive, send, known=not isinstance(found, NoMatch))

    def match(self, method: str, path: bytes, fields: RawHeaders) -> Match | NoMatch:
        """The route of a path without a root path, percent-encoded: for the native gateway.

        :param fields: the header fields, for the routes of hosts.
        """
        host = Headers(fields).get("host") if self.router.has_hosts else None
        return self.router.match(method, path, host=host)

    def _match(self, scope: Scope) -> Match | NoMatch:
        self.prepare()
        path, decoded = matchable_path(scope["path"], scope.get("raw_path"), scope.get("root_path", ""))
        host = Headers(scope["headers"]).get("host") if self.router.has_hosts else None
        return self.router.match(scope["method"], path, decoded=decoded, host=host)

    def _rebuild(self) -> None:
        """Something was added: compose the chains again, once all of it is there."""
        self.dispatch.clear()

    def _build(self) -> None:
        """Compose the chains: at the start, and again when something was added after it."""
        for middleware in (self._middleware, *(route.middleware for route in self.router.routes)):
            new = [each for each in middleware if not any(each is other for other in self._bound)]
            self._bound += new
            bind(new, self)
        handlers = {route: self._handlers(route) for route in self.router.routes}
        run = "inline" if self._stays_inline(self._middleware) else "greenlet"
        missing = self._compose(self._middleware, answer_no_match, run, inline=True)
        tree = None if self.router.has_hosts else self.router.tree
        self.dispatch.fill(tree, handlers, missing)

    def _handlers(self, route: Route) -> tuple[Handler, Handler]:
        """What answers a route: its controller with all middleware around, for requests with and without a body."""
        middleware = (*self._middleware, *route.middleware)
        if route.timeout is not None and not any(isinstance(each, Timeout) for each in middleware):
            middleware += (Timeout(),)  # it takes the time of the route
        run = route.run_by(self.config.sync_mode)
        with_body = self._compose(middleware, route.controller, run, cancel=route.cancel)
        if run != "inline" or not self._stays_inline(middleware):
            return with_body, with_body
        return with_body, self._compose(middleware, route.controller, run, inline=True, cancel=route.cancel)

    def _stays_inline(self, middleware: tuple[Any, ...]) -> bool:
        """Whether a controller that runs inline needs no greenlet for what is around it, or for its templates."""
        if self.errors or (self._templates is not None and self._templates.may_wait):
            return False
        return stays_inline(middleware)

    def _compose(
        self,
        middleware: tuple[Any, ...],
        controller: Callable[..., Any],
        run: str,
        *,
        inline: bool = False,
        cancel: bool | None = None,
    ) -> Handler:
        innermost = endpoint(controller, run, self.errors, self._threads, inline=inline)
        step = compose(middleware, Step(innermost.respond, innermost.run_mode), self.errors, self.greenlets)
        return Handler(step.call, step.run_mode, cancel, None if middleware else innermost)


_OWN_CALL = Application.__call__
"""What stands there before a tool puts something of its own in its place."""


def _template_folders(place: str, config: Config) -> list[Path]:
    """The template folders. Those that were asked for have to be there."""
    beside = Path(place.rpartition(":")[0]).parent
    if config.template_dirs is None:
        return [folder for folder in [beside / "templates"] if folder.is_dir()]
    folders = [beside / folder for folder in config.template_dirs]
    for folder in folders:
        if not folder.is_dir():
            raise StartupError(f"{place}: template folder {str(folder)!r} does not exist")
    return folders
