"""The application: routes, middleware and configuration as an ASGI 3 application."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from contextvars import copy_context
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar

from atlas._speedups.calls.handlers import Handler, RouteTable, RunMode, call_handler
from atlas._speedups.calls.router import RouteTree
from atlas.errors import ClientDisconnected, StartupError
from atlas.gateway.background_tasks import BackgroundTask
from atlas.gateway.greenlets import Greenlets
from atlas.gateway.page_refresh import PageRefresh
from atlas.gateway.shared_exceptions import drop_earlier_frames
from atlas.gateway.threads import CALLS
from atlas.types import Receive, Scope, Send
from atlas.web.asgi import close_applications
from atlas.web.background import CURRENT, BackgroundTasks
from atlas.web.call_site import caller_place
from atlas.web.config import Config
from atlas.web.endpoint import endpoint
from atlas.web.error_handlers import ErrorHandlers
from atlas.web.headers import Headers, RawHeaders
from atlas.web.inputs.overrides import Overrides
from atlas.web.lifespan import Lifespan, LifespanFunction
from atlas.web.middleware.chain import Step, bind, check_middleware, compose, configure, stays_inline
from atlas.web.middleware.timeout import Timeout
from atlas.web.mounts import Mount
from atlas.web.option_checks import check_decorator
from atlas.web.requests.request import AsyncRequest, Request
from atlas.web.requests.request_head import RequestHead
from atlas.web.responses.response import Response
from atlas.web.routing.no_match import answer_no_match
from atlas.web.routing.route import WEBSOCKET, Entry, Route
from atlas.web.routing.router import Match, NoMatch, RouteInfo, Router, matchable_path, with_routed_path
from atlas.web.scope_keys import MESSAGES
from atlas.web.startup_checks import check_encoder
from atlas.web.state import State
from atlas.web.static import Static, configured_static
from atlas.web.templates.folders import find_folders
from atlas.web.websockets.asgi_messages import ASGIMessages
from atlas.web.websockets.route import WebSocketRoute
from atlas.web.websockets.serving import handshake_scope, run_handler

if TYPE_CHECKING:
    from atlas.web.templates.templates import Templates

__all__ = ["Application"]

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")


class Application:
    """A web application: routes, middleware, exception handlers and configuration.

    It is an ASGI 3 application that runs under any ASGI server. The Atlas server calls its handlers without ASGI.

    :param routes: the routes; the decorators add more. Default none.
    :param middleware: the middleware around all controllers and error pages, the outermost one first; see
        :mod:`atlas.web.middleware.chain`. Default none.
    :param exception_handlers: ``handler(request, error)`` by status code or exception class. Default none.
    :param lifespan: a function that takes the application and returns a context manager, sync or async. It is entered
        at startup and left at shutdown; what it yields, a mapping, becomes the state of each request. Default None.
    :param config: a mapping, or a module with lower-case values; see :class:`atlas.web.config.Config`. Default None.
    :param debug: whether error pages show tracebacks. None, the default, for the value of the configuration.
    :param json_encoder: ``json_encoder(value)`` returns a value with a JSON form in place of one without, or raises
        TypeError. Responses, problem documents, sessions, events and the filter ``tojson`` use it. Default None.
    :raises StartupError: for an invalid argument. The message names file and line, or the setting.
    """

    # Used by the native gateway, with route_table and greenlets: see NativeApplication.
    current: ClassVar = CURRENT
    buffered_call: ClassVar = staticmethod(Response.__call__)

    def __init__(
        self,
        routes: Iterable[Entry] = (),
        *,
        middleware: Iterable[Any] = (),
        exception_handlers: Mapping[int | type[Exception], Callable[..., Any]] | None = None,
        lifespan: LifespanFunction | None = None,
        config: Mapping[str, Any] | ModuleType | None = None,
        debug: bool | None = None,
        json_encoder: Callable[[Any], Any] | None = None,
    ) -> None:
        place = caller_place()
        self.json_encoder = check_encoder(json_encoder, place)
        self.config = Config.read(config, debug=debug)
        self.state = State()
        self.router = Router(routes)
        if (static := configured_static(self.config.static_dirs, self.router.routes)) is not None:
            self.router.add(static)
        self._lifespan = Lifespan(self, lifespan)
        self.greenlets = Greenlets()
        self.errors = ErrorHandlers(debug=self.config.debug, greenlets=self.greenlets)
        self._threads = CALLS
        self._background = BackgroundTasks()
        self._lifespan.prepare, self._lifespan.drain = self._start, self._background.drain
        self._template_folders = find_folders(place, self.config)
        self._templates: Templates | None = None
        self._middleware = check_middleware(middleware, place)
        self._bound: list[Any] = []
        self._overrides = Overrides(self._rebuild)
        for each in (self._middleware, *(route.middleware for route in self.router.routes)):
            configure(each, self.config)
        self.route_table = RouteTable(self, Request, AsyncRequest)
        self._changes = 0
        self.router.on_change = self._rebuild
        for key, handler in (exception_handlers or {}).items():
            self.errors.add(key, handler, place)

    @property
    def is_native(self) -> bool:
        """Whether the native gateway may be used: ``__call__`` was not replaced by a subclass or a wrapper."""
        return type(self).__call__ is _ORIGINAL_CALL

    @property
    def debug(self) -> bool:
        """Whether error pages show tracebacks."""
        return self.config.debug

    @property
    def templates(self) -> Templates:
        """The templates. Jinja2 is imported by the first access, or at startup if there is a template folder."""
        if self._templates is None:
            from atlas.web.templates.templates import Templates

            self.templates = Templates()
        assert self._templates is not None
        return self._templates

    @templates.setter
    def templates(self, templates: Templates) -> None:
        templates.bind(self._template_folders, reload=self.debug)
        self._templates = templates
        self._rebuild()

    def route(self, path: str, methods: Iterable[str] | None = None, **options: Any) -> Callable[[F], F]:
        """Return a decorator that adds a route for a controller: ``@app.route("/users/{name}", ["GET", "POST"])``.

        :param path: the pattern; see :class:`Route`.
        :param methods: the HTTP methods; None, the default, for GET.
        :param options: keyword arguments of :class:`Route`.
        """

        check_decorator(path, "route")

        def add(controller: F) -> F:
            self.router.add(Route(path, controller, ("GET",) if methods is None else methods, **options))
            return controller

        return add

    def get(self, path: str, **options: Any) -> Callable[[F], F]:
        """Return a decorator that adds a route for GET and HEAD; parameters as for :meth:`route`."""
        check_decorator(path, "get")
        return self.route(path, ("GET",), **options)

    def post(self, path: str, **options: Any) -> Callable[[F], F]:
        """Return a decorator that adds a route for POST; parameters as for :meth:`route`."""
        check_decorator(path, "post")
        return self.route(path, ("POST",), **options)

    def put(self, path: str, **options: Any) -> Callable[[F], F]:
        """Return a decorator that adds a route for PUT; parameters as for :meth:`route`."""
        check_decorator(path, "put")
        return self.route(path, ("PUT",), **options)

    def patch(self, path: str, **options: Any) -> Callable[[F], F]:
        """Return a decorator that adds a route for PATCH; parameters as for :meth:`route`."""
        check_decorator(path, "patch")
        return self.route(path, ("PATCH",), **options)

    def delete(self, path: str, **options: Any) -> Callable[[F], F]:
        """Return a decorator that adds a route for DELETE; parameters as for :meth:`route`."""
        check_decorator(path, "delete")
        return self.route(path, ("DELETE",), **options)

    def websocket(self, path: str, **options: Any) -> Callable[[F], F]:
        """Return a decorator that adds a route for WebSocket handshakes.

        :param path: the pattern; see :class:`atlas.web.websockets.route.WebSocketRoute`.
        :param options: keyword arguments of :class:`~atlas.web.websockets.route.WebSocketRoute`.
        """

        check_decorator(path, "websocket")

        def add(controller: F) -> F:
            self.router.add(WebSocketRoute(path, controller, **options))
            return controller

        return add

    def exception_handler(self, key: int | type[Exception]) -> Callable[[F], F]:
        """Return a decorator that adds an exception handler: ``handler(request, error)`` returns the response.

        :param key: a status code from 400 to 599, or an exception class.
        """

        if inspect.isroutine(key):
            raise StartupError(
                f"{caller_place()}: @app.exception_handler needs a status or an exception, got a function"
            )

        def add(handler: F) -> F:
            self.errors.add(key, handler, caller_place())
            self._rebuild()
            return handler

        return add

    def middleware(self, function: F) -> F:
        """Add a middleware, inside the ones that were added before; used as a decorator.

        :param function: called with the request and ``call_next``.
        """
        self._middleware += check_middleware([function], caller_place())
        self._rebuild()
        return function

    def on_startup(self, function: F) -> F:
        """Add a startup function; used as a decorator.

        :param function: called before the first request, with the application if it has a parameter.
        """
        self._lifespan.on_startup.append(function)
        return function

    def on_shutdown(self, function: F) -> F:
        """Add a shutdown function; used as a decorator.

        :param function: called after the last request, with the application if it has a parameter. The function that
            was added last is called first.
        """
        self._lifespan.on_shutdown.append(function)
        return function

    def url_for(self, name: str, /, **params: Any) -> str:
        """Return the path of a route; ``//host/path`` for a route of a :class:`Host` with parameters.

        :param name: the name of the route.
        :param params: the parameters of path and host; the others become the query string.
        :raises LookupError: for an unknown name.
        :raises ValueError: for a path parameter that is missing or does not match.
        """
        return self.router.url_for(name, params)

    def url_parts(
        self, name: str, params: Mapping[str, Any], host: str | None = None, known: Mapping[str, Any] | None = None
    ) -> tuple[str | None, str]:
        """Return host and path of a route, for ``request.url_for``.

        :param name: the name of the route.
        :param params: the parameters of path and host; the others become the query string.
        :param host: the host pattern of the current route, if it has one. Default None.
        :param known: the parameters of the current request. Default none.
        :returns: the host, None if the host of the route has no parameters; and the path.
        """
        return self.router.url_parts(name, params, host, known or {})

    def iter_routes(self) -> Iterator[RouteInfo]:
        """Return an iterator over all routes, in the order in which they were added."""
        return iter(self.router)

    def override(self, function: Callable[..., Any], replacement: Callable[..., Any]) -> AbstractContextManager[None]:
        """Replace what provides a value, in a test: ``with app.override(find_user, fake):``.

        :param function: the function that ``Provide`` names.
        :param replacement: called instead; it takes what a dependency may take.
        """
        return self._overrides.replaced(function, replacement)

    def background(self, function: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call a function after the current response was sent; at once if there is no current request.

        An ``async def`` runs on the event loop, any other function in a thread. At most 64 functions run at a time, the
        others wait in a queue. Exceptions are logged. At shutdown the functions have 30 seconds to return.

        :param function: called with ``args`` and ``kwargs``.
        :raises RuntimeError: if there is no request and no running event loop, or 10,000 functions are waiting.
        """
        self._background.add(BackgroundTask(function, args, kwargs, copy_context()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection: the ASGI 3 interface.

        :param scope: a scope of type ``http``, ``websocket`` or ``lifespan``.
        :raises RuntimeError: for another type of scope.
        """
        if scope["type"] != "http":
            await self._serve_other(scope, receive, send)
            return
        found: Match | NoMatch | None = None
        if self.route_table.is_ready and not scope.get("root_path") and b"%" not in (scope.get("raw_path") or b""):
            path = scope["path"].encode("utf-8", "surrogateescape")
            found = self.route_table.match(scope["method"], path, decoded=True)
        if found is None:
            scope, found = self._match(scope, scope["method"])
        request, handler = self._request_of(scope, receive, found)
        CURRENT.set(request)
        try:
            response = call_handler(handler, request, self.greenlets)
            if not isinstance(response, Response):
                response = await response
            elif response.pending:
                response = await self.complete_response(request, response)
            await response(scope, receive, send)
        except ClientDisconnected:
            return  # not an error of the application
        except Exception as error:
            drop_earlier_frames(error)
            raise
        finally:
            await self._finish(request)

    async def _finish(self, request: RequestHead) -> None:
        request._finished = True
        if request._background_tasks is not None:
            self._background.start(request)
        if request._application_tasks is not None:
            await close_applications(request)

    def _request_of(
        self, scope: Scope, receive: Receive, found: Match | NoMatch
    ) -> tuple[AsyncRequest | Request, Handler]:
        """Return the request object and the handler for a scope, whether a route matches or not."""
        if not isinstance(found, NoMatch):
            return self.route_table.make_request(scope, receive, found)
        handler = self.route_table.get_handler(None, False)
        request = (AsyncRequest if handler.run_mode is RunMode.ASYNC else Request)(self, scope, receive)
        request._cache.no_match = found
        return request, handler

    async def _serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self._lifespan(scope, receive, send)
        elif kind == "websocket":
            await self._serve_websocket(scope, receive, send)
        else:
            raise RuntimeError(f"expected a scope of type http, websocket or lifespan, got {kind!r}")

    def prepare(self) -> None:
        """Build the routes and the middleware chains, if something was added since the last call.

        It is called at startup; without a lifespan, by the first request.

        :raises StartupError: for a middleware or a controller that cannot work.
        """
        with self.router.lock:
            while not self.route_table.is_ready:
                changes = self._changes
                tree, handlers, no_match_handler = self._build()
                if changes == self._changes:  # else a middleware has added something while it was bound
                    self.route_table.fill(tree, handlers, no_match_handler)

    def _start(self) -> None:
        if self.config.log_level is not None:
            logging.getLogger("atlas.web").setLevel(self.config.log_level.upper())
        self.prepare()
        if self._template_folders:
            self.templates.load_all()  # importing Jinja2 takes 0.1 s: not during the first request
        mounted = {id(route.app): route.app for route in self.router.routes if isinstance(route, Mount)}
        self._lifespan.mounted = list(mounted.values())

    def refresh_pages(self, pages: PageRefresh) -> None:
        """Have open pages load again when files change; called by the server in development, before the start."""
        from atlas.web.page_refresh import PageRefreshHooks

        self._middleware = (PageRefreshHooks(pages), *self._middleware)
        self._rebuild()

    async def drain(self) -> None:
        """Wait for the background tasks, for at most 30 seconds; called at shutdown."""
        await self._background.drain()

    async def close_applications(self, request: RequestHead) -> None:
        """Close the ASGI applications of a request whose responses were not sent; called by the native gateway.

        :param request: a request that is finished.
        """
        await close_applications(request)

    async def complete_response(self, request: RequestHead, response: Response) -> Response:
        """Complete the response of a handler that could not wait for it, with ``run="inline"``.

        :param request: the request.
        :param response: the response.
        :returns: the response to send; an error page for an exception.
        """
        try:
            return await response.complete(request)
        except Exception as error:
            page: Response = await self.errors.in_mode(RunMode.ASYNC)(request, error)
            return page

    def start_background_tasks(self, request: RequestHead) -> None:
        """Start the background tasks of a request; called by the native gateway.

        :param request: a request that is finished.
        """
        self._background.start(request)

    async def _serve_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope, found = self._match(scope, WEBSOCKET)
        if not isinstance(found, NoMatch) and isinstance(found[0], Mount):
            await found[0].app(found[0].scope_below(scope), receive, send)
            return
        request, handler = self._request_of(handshake_scope(scope), receive, found)
        request._notes[MESSAGES] = ASGIMessages(scope, receive, send)
        await self.serve_websocket(request, handler)

    async def serve_websocket(self, request: AsyncRequest | Request, handler: Handler) -> None:
        """Serve a WebSocket, whose messages are among the notes of its request; called by the native gateway."""
        try:
            await run_handler(request, handler, self.greenlets)
        finally:
            await self._finish(request)

    def match(self, method: str, path: bytes, fields: RawHeaders) -> Match | NoMatch:
        """Match a request with a route; called by the native gateway.

        :param method: the HTTP method.
        :param path: percent-encoded, without a root path.
        :param fields: the header fields, for routes that depend on the host.
        :returns: the route and the path parameters; if no route matches, the reason.
        """
        host = Headers(fields).get("host") if self.router.has_hosts else None
        return self.router.match(method, path, host=host)

    def _match(self, scope: Scope, method: str) -> tuple[Scope, Match | NoMatch]:
        """Match a request with a route; also return the scope with the path that was matched."""
        self.prepare()
        path, decoded = matchable_path(scope["path"], scope.get("raw_path"), scope.get("root_path", ""))
        host = Headers(scope["headers"]).get("host") if self.router.has_hosts else None
        found = self.router.match(method, path, decoded=decoded, host=host)
        return with_routed_path(scope, path, decoded), found

    def _rebuild(self) -> None:
        """Build the routes and the chains again before the next request, because something was added."""
        with self.router.lock:
            self._changes += 1
            self.route_table.clear()

    def _build(self) -> tuple[RouteTree[Route] | None, dict[Route, tuple[Handler, Handler]], Handler]:
        """Return what the route table is filled with."""
        for middleware in (self._middleware, *(route.middleware for route in self.router.routes)):
            new = [each for each in middleware if not any(each is other for other in self._bound)]
            self._bound += new
            bind(new, self)
        for route in self.router.routes:
            if isinstance(route, Static):
                route.find_others(self.router.routes)
        handlers = {route: self._handlers(route) for route in self.router.routes}
        run = "inline" if self._stays_inline(self._middleware) else "greenlet"
        no_match_handler = self._compose(self._middleware, answer_no_match, run, inline=True)
        return None if self.router.has_hosts else self.router.tree, handlers, no_match_handler

    def _handlers(self, route: Route) -> tuple[Handler, Handler]:
        """Return the handlers of a route, for requests with and without a body."""
        middleware = (*self._middleware, *route.middleware)
        if route.timeout is not None and not any(isinstance(each, Timeout) for each in middleware):
            middleware += (Timeout(),)  # uses the timeout of the route
        run = route.run_by(self.config.sync_mode)
        call = route.call(self._overrides)
        with_body = self._compose(middleware, call, run, cancel=route.cancel)
        if run != "inline" or not self._stays_inline(middleware):
            return with_body, with_body
        return with_body, self._compose(middleware, call, run, inline=True, cancel=route.cancel)

    def _stays_inline(self, middleware: tuple[Any, ...]) -> bool:
        """Whether a controller with ``run="inline"`` needs no greenlet for its middleware and templates."""
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


_ORIGINAL_CALL = Application.__call__
"""``__call__`` before a tool (such as OpenTelemetry) replaces it."""
