"""The application: an ASGI 3 callable made of routes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeAlias, TypeVar, cast

from atlas.errors import ClientDisconnected, StartupError
from atlas.gateway.greenlets import Greenlets
from atlas.gateway.jobs import Job
from atlas.types import Receive, Scope, Send
from atlas.web.background import Background, enter
from atlas.web.config import Config
from atlas.web.controllers import to_response
from atlas.web.endpoint import endpoint, endpoint_with_body
from atlas.web.error_handlers import ErrorHandlers
from atlas.web.errors import MethodNotAllowed, NotFound
from atlas.web.headers import Headers
from atlas.web.lifespan import Lifespan, LifespanFunction
from atlas.web.middleware.chain import Colour, Step, bind, check_middleware, compose
from atlas.web.middleware.timeout import Timeout
from atlas.web.mounts import Mount
from atlas.web.request import AsyncRequest, Request, RequestHead
from atlas.web.response import RedirectResponse, Response
from atlas.web.routing import (
    WEBSOCKET,
    Entry,
    Match,
    Miss,
    Route,
    RouteInfo,
    Router,
    caller_place,
    matchable_path,
)
from atlas.web.state import State
from atlas.web.websocket import WebSocketRoute, refuse

if TYPE_CHECKING:
    from atlas.web.templates import Templates

__all__ = ["Application"]

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")


# What __call__ may call itself: an async def controller without middleware, or else an async chain.
_Ready: TypeAlias = tuple[Callable[..., Any] | None, Callable[..., Any] | None]
_NOT_READY: _Ready = (None, None)


class _Plan(NamedTuple):
    """What answers a route: its controller with all middleware around, for requests with and without a body."""

    with_body: Step
    without_body: Step


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
        self._lifespan = Lifespan(self, lifespan)
        self._errors = ErrorHandlers(debug=self.config.debug)
        self._greenlets = Greenlets()
        self._background = Background()
        self._lifespan.prepare, self._lifespan.drain = self._prepare, self._background.drain
        self._template_folders = _template_folders(place, self.config)
        self._templates: Templates | None = None
        self._middleware = check_middleware(middleware, place)
        self._bound: list[Any] = []
        self._built = False
        self._find: Callable[[str, bytes], Match | None] | None = None
        self._plans: dict[Route, _Plan] = {}
        self._ready: dict[Route, _Ready] = {}
        for key, handler in (exception_handlers or {}).items():
            self._errors.add(key, handler, place)

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
            self._errors.add(key, handler, caller_place())
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
        self._background.add(Job(function, args, kwargs))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3.

        Every request comes through here, so the way of most of them stands in full: no root path, no hosts, and an
        ``async def``. Each step more would be a coroutine more, a tenth of all that there is to do.
        """
        if scope["type"] != "http":
            await self._serve_other(scope, receive, send)
            return
        enter(scope)
        found = response = None
        try:
            if self._find is not None and not scope.get("root_path"):
                found = self._find(scope["method"], scope.get("raw_path") or b"")
            if found is not None:
                controller, chain = self._ready.get(found[0], _NOT_READY)
                if chain is not None:
                    response = await chain(AsyncRequest(self, scope, receive, *found))
                elif controller is not None:
                    request = AsyncRequest(self, scope, receive, *found)
                    try:
                        response = await controller(request, *found[1])
                        if not isinstance(response, Response):
                            response = to_response(response, controller)
                    except Exception as error:
                        response = await self._errors.answer(request, error)
            if response is None:
                response = await self._answer(scope, receive, found)
            await response(scope, receive, send)
        except ClientDisconnected:
            return  # there is nobody to answer, and nothing went wrong here
        finally:
            self._background.leave(scope)

    async def _serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self._lifespan(scope, receive, send)
        elif kind == "websocket":
            await self._shake_hands(scope, receive, send)
        else:
            raise RuntimeError(f"expected a scope of type http, websocket or lifespan, got {kind!r}")

    def _prepare(self) -> None:
        """Whatever can be done before the first request. :raises StartupError: for what cannot work."""
        if self.config.log_level is not None:
            logging.getLogger("atlas.web").setLevel(self.config.log_level.upper())
        if not self._built:
            self._build()
        if self._template_folders:
            _ = self.templates  # loading Jinja2 takes a tenth of a second, which the first visitor shall not wait for
        mounted = {id(route.app): route.app for route in self.router.routes if isinstance(route, Mount)}
        self._lifespan.mounted = list(mounted.values())

    async def _shake_hands(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._match(scope, WEBSOCKET)
        if not isinstance(found, Miss) and isinstance(found[0], Mount):
            await found[0].app(found[0].scope_below(scope), receive, send)
        else:
            await refuse(scope, receive, send, known=not isinstance(found, Miss))

    def _match(self, scope: Scope, method: str) -> Match | Miss:
        path, decoded = matchable_path(scope["path"], scope.get("raw_path"), scope.get("root_path", ""))
        host = Headers(scope["headers"]).get("host") if self.router.has_hosts else None
        return self.router.match(method, path, decoded=decoded, host=host)

    async def _answer(self, scope: Scope, receive: Receive, found: Match | Miss | None) -> Response:
        """The response to a request that wants more than that."""
        if not self._built:
            self._build()
        if found is None:
            found = self._match(scope, scope["method"])
        if isinstance(found, Miss):
            scope[_MISS] = found
            return await self._go(self._missing, scope, receive, None, ())
        route, values = found
        plan = self._plans[route]
        step = plan.without_body if plan.with_body is plan.without_body or _has_no_body(scope) else plan.with_body
        if step.colour is Colour.PLAIN:
            response: Response = step.call(Request(self, scope, receive, route, values))
            return response
        return await self._go(step, scope, receive, route, values)

    async def _go(
        self, step: Step, scope: Scope, receive: Receive, route: Route | None, values: tuple[Any, ...]
    ) -> Response:
        if step.colour is Colour.ASYNC:
            response: Response = await step.call(AsyncRequest(self, scope, receive, route, values))
            return response
        request = Request(self, scope, receive, route, values)
        if step.colour is Colour.GREENLET:
            return cast(Response, await self._greenlets.run(step.call, request))
        return cast(Response, step.call(request))

    def _rebuild(self) -> None:
        """Something was added: compose the chains again, once all of it is there."""
        self._built, self._find = False, None

    def _build(self) -> None:
        """Compose the chains: at the start, and again when something was added after it."""
        for middleware in (self._middleware, *(route.middleware for route in self.router.routes)):
            new = [each for each in middleware if not any(each is other for other in self._bound)]
            self._bound += new
            bind(new, self)
        self._ready.clear()
        self._plans = {route: self._plan(route) for route in self.router.routes}
        self._missing = self._compose(self._middleware, endpoint, _answer_miss, "await")
        self._find = None if self.router.has_hosts else self.router.tree.find
        self._built = True

    def _plan(self, route: Route) -> _Plan:
        middleware = (*self._middleware, *route.middleware)
        if route.timeout is not None and not any(isinstance(each, Timeout) for each in middleware):
            middleware += (Timeout(),)  # it takes the time of the route
        run = route.run_by(self.config.sync_mode)
        without_body = self._compose(middleware, endpoint, route.controller, run)
        if run != "inline":
            alone = run == "await" and not middleware
            if alone or without_body.colour is Colour.ASYNC:
                self._ready[route] = (route.controller, None) if alone else (None, without_body.call)
            return _Plan(without_body, without_body)
        with_body = self._compose(middleware, endpoint_with_body, route.controller, run)
        return _Plan(with_body, without_body)

    def _compose(
        self, middleware: tuple[Any, ...], inner: Callable[..., Step], controller: Callable[..., Any], run: str
    ) -> Step:
        errors, greenlets = self._errors, self._greenlets
        return compose(middleware, inner(controller, run, errors, greenlets), errors, greenlets)


_MISS = "atlas.miss"


async def _answer_miss(request: RequestHead) -> Response:
    """Stands for a controller where there is none."""
    miss: Miss = request.scope[_MISS]
    if miss.other_slash:
        return RedirectResponse(_with_other_slash(request), 308)
    if not miss.allow:
        raise NotFound
    allow = {"allow": ", ".join(miss.allow)}
    if request.method == "OPTIONS":
        return Response(b"", 204, allow, content_type="")
    raise MethodNotAllowed(headers=allow)


def _has_no_body(scope: Scope) -> bool:
    """Whether there is no body: one with GET or HEAD has to say so (RFC 9112 6); else there is no need to look."""
    if scope["method"] not in ("GET", "HEAD"):
        return False
    for name, _ in scope["headers"]:  # noqa: SIM110  # half the time of any() over a generator, at every request
        if name in (b"content-length", b"transfer-encoding"):
            return False
    return True


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


def _with_other_slash(request: RequestHead) -> str:
    """The same path with or without its last slash, relative to itself.

    Relative, so that no proxy's prefix has to be known, and no path such as ``//evil.example/`` becomes a host.
    """
    path = request.raw_path.decode("latin-1")
    query = request.scope.get("query_string", b"").decode("latin-1")
    last = path.removesuffix("/").rpartition("/")[2]
    return (f"../{last}" if path.endswith("/") else f"./{last}/") + (f"?{query}" if query else "")
