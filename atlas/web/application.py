"""The application: an ASGI 3 callable made of routes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from atlas.errors import ClientDisconnected, StartupError
from atlas.types import Receive, Scope, Send
from atlas.web.config import Config
from atlas.web.controllers import check_callable, is_async, to_response
from atlas.web.errors import HTTPException, MethodNotAllowed, NotFound, error_response, failure_response, note_failure
from atlas.web.lifespan import Lifespan, LifespanFunction
from atlas.web.request import AsyncRequest, Request, RequestHead
from atlas.web.response import RedirectResponse, Response
from atlas.web.routing import Miss, Route, RouteInfo, Router, caller_place, matchable_path
from atlas.web.state import State

if TYPE_CHECKING:
    from atlas.web.templates import Templates

__all__ = ["Application"]

F = TypeVar("F", bound=Callable[..., Any])


class Application:
    """Routes and what they share. It runs under any ASGI 3 server, and at its best under Atlas's own.

    :param routes: the routes; more can be added by the decorators.
    :param exception_handlers: ``handler(request, error)`` by status code or by exception class.
    :param lifespan: an async context manager function around the application's life, given the application.
    :param config: a mapping, or a module with lower-case values, see :class:`atlas.web.config.Config`.
    :param debug: show tracebacks on error pages; overrides the configuration.
    :raises StartupError: for what cannot work: it names file and line, or the setting.
    """

    def __init__(
        self,
        routes: Iterable[Route] = (),
        *,
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
        self._handlers: dict[int | type[Exception], Callable[..., Any]] = {}
        self._template_folders = _template_folders(place, self.config)
        self._templates: Templates | None = None
        for key, handler in (exception_handlers or {}).items():
            self._add_handler(key, handler)

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

    def exception_handler(self, key: int | type[Exception]) -> Callable[[F], F]:
        """Decorator: ``handler(request, error)`` answers errors of a status code or an exception class."""

        def add(handler: F) -> F:
            self._add_handler(key, handler)
            return handler

        return add

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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        kind = scope["type"]
        if kind == "http":
            try:
                response = await self._answer(scope, receive)
                await response(scope, receive, send)
            except ClientDisconnected:
                return  # there is nobody to answer, and nothing went wrong here
        elif kind == "lifespan":
            await self._live(scope, receive, send)
        elif kind == "websocket":
            # No routes for it yet. Closing before accepting is 403 to the client.
            await receive()
            await send({"type": "websocket.close", "code": 1000})
        else:
            raise RuntimeError(f"expected a scope of type http, websocket or lifespan, got {kind!r}")

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._template_folders:
            _ = self.templates  # loading Jinja2 takes a tenth of a second, which the first visitor shall not wait for
        await self._lifespan(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        """The response to a request, whatever happens on the way to it."""
        raw_path, root_path = scope.get("raw_path"), scope.get("root_path", "")
        found = self.router.match(scope["method"], matchable_path(scope["path"], raw_path, root_path))
        if isinstance(found, Miss):
            return await self._answer_miss(Request(self, scope, receive), found)
        route, values = found
        request: Request | AsyncRequest
        try:
            if route.is_async:
                request = AsyncRequest(self, scope, receive, route, values)
                result = await route.controller(request, *values)
            else:
                request = Request(self, scope, receive, route, values)
                # It runs on the event loop and cannot wait, so whatever it may ask for is there before.
                if request.announces_body:
                    await request.read_body()
                result = route.controller(request, *values)
            return result if isinstance(result, Response) else to_response(result, route.controller)
        except ClientDisconnected:
            raise
        except Exception as error:
            return await self._answer_error(request, error)

    async def _answer_miss(self, request: Request, miss: Miss) -> Response:
        if miss.other_slash:
            return RedirectResponse(_with_other_slash(request), 308)
        if not miss.allow:
            return await self._answer_error(request, NotFound())
        allow = {"allow": ", ".join(miss.allow)}
        if request.method == "OPTIONS":
            return Response(b"", 204, allow, content_type="")
        return await self._answer_error(request, MethodNotAllowed(headers=allow))

    async def _answer_error(self, request: RequestHead, error: Exception) -> Response:
        handler = self._handler_for(error)
        if handler is not None:
            try:
                return await self._call_handler(handler, request, error)
            except ClientDisconnected:
                raise
            except Exception as another:  # an error page that fails is answered plainly
                error = another
        if isinstance(error, HTTPException):
            return error_response(request.headers.get("accept"), error)
        note_failure(request, error)
        return failure_response(request, error)

    def _handler_for(self, error: Exception) -> Callable[..., Any] | None:
        """The handler of the status, or else of the nearest class. Those for surprises are for surprises only."""
        expected = isinstance(error, HTTPException)
        if isinstance(error, HTTPException) and error.status_code in self._handlers:
            return self._handlers[error.status_code]
        nearest: type[Exception] = HTTPException if expected else Exception
        for kind in type(error).__mro__:
            if issubclass(kind, nearest) and kind in self._handlers:
                return self._handlers[kind]
        return None if expected else self._handlers.get(500)

    async def _call_handler(self, handler: Callable[..., Any], request: RequestHead, error: Exception) -> Response:
        if is_async(handler):
            result = await handler(request.seen_as(AsyncRequest), error)
        else:
            result = handler(request.seen_as(Request), error)
        response = to_response(result, handler)
        if response.status_code >= 500 and not isinstance(error, HTTPException):
            note_failure(request, error)
        if isinstance(error, HTTPException):
            for name, value in error.headers.items():
                response.headers.setdefault(name, value)
        return response

    def _add_handler(self, key: int | type[Exception], handler: Callable[..., Any]) -> None:
        place = caller_place()
        is_status = isinstance(key, int) and 400 <= key <= 599
        if not is_status and not (isinstance(key, type) and issubclass(key, Exception)):
            raise StartupError(f"{place}: exception handler: expected a status from 400 or an exception, got {key!r}")
        try:
            check_callable(handler, 2, "exception handler", "the request and the error")
        except ValueError as error:
            raise StartupError(f"{place}: {error}") from None
        self._handlers[key] = handler


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


def _with_other_slash(request: Request) -> str:
    """The same path with or without its last slash, relative to itself.

    Relative, so that no proxy's prefix has to be known, and no path such as ``//evil.example/`` becomes a host.
    """
    path = request.raw_path.decode("latin-1")
    query = request.scope.get("query_string", b"").decode("latin-1")
    last = path.removesuffix("/").rpartition("/")[2]
    return (f"../{last}" if path.endswith("/") else f"./{last}/") + (f"?{query}" if query else "")
