"""Routes: a path pattern, a controller, and the methods that it answers."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, Literal, Protocol, TypeAlias

from atlas.errors import StartupError
from atlas.web.call_site import caller_place
from atlas.web.controllers import Controller, check_controller, controller_name, is_async, takes_more
from atlas.web.inputs.binding import bind_inputs
from atlas.web.inputs.parameters import Inputs, check_order, is_positional, read_inputs
from atlas.web.inputs.providers import find_providers
from atlas.web.middleware.chain import check_middleware
from atlas.web.routing.converters import Converter
from atlas.web.routing.hosts import HostPattern
from atlas.web.routing.patterns import Parameter, Pattern, parse_pattern

__all__ = ["ANY", "WEBSOCKET", "Entry", "Route", "Run", "check_entries"]

Run: TypeAlias = Literal["auto", "inline", "greenlet", "thread"]
_RUNS = ("auto", "inline", "greenlet", "thread")
# The registered methods that the parsers of servers know.
# fmt: off
_METHODS = frozenset((
    "ACL", "BIND", "CHECKOUT", "COPY", "DELETE", "GET", "HEAD", "LINK", "LOCK", "M-SEARCH", "MERGE", "MKACTIVITY",
    "MKCALENDAR", "MKCOL", "MOVE", "NOTIFY", "OPTIONS", "PATCH", "POST", "PROPFIND", "PROPPATCH", "PURGE", "PUT",
    "QUERY", "REBIND", "REPORT", "SEARCH", "SUBSCRIBE", "TRACE", "UNBIND", "UNLINK", "UNLOCK", "UNSUBSCRIBE",
))
# fmt: on

ANY = "*"
"""The method of a route that answers every method."""

WEBSOCKET = "<websocket>"
"""The method of a route that answers WebSocket handshakes. No request has it: "<" is not allowed in a token."""


class Entry(Protocol):
    """What a list of routes may contain."""

    def flat(self) -> Iterator[Route]:
        """Iterate over the routes that the entry stands for."""


def check_entries(entries: Any, place: str) -> tuple[Entry, ...]:
    """Check a list of routes.

    :param entries: the routes.
    :param place: file and line, for the message.
    :returns: the routes.
    :raises StartupError: for an object that is not an :class:`Entry`.
    """
    if isinstance(entries, str) or not isinstance(entries, Iterable):
        raise StartupError(f"{place}: routes: expected a list such as [Route('/', home)], got {entries!r}")
    checked = tuple(entries)
    for each in checked:
        if not callable(getattr(each, "flat", None)) or inspect.isclass(each):
            hint = f": write Route({each[0]!r}, ...)" if isinstance(each, tuple) and each else ""
            raise StartupError(f"{place}: routes: expected a Route, an Include, a Mount ..., got {each!r}{hint}")
    return checked


class Route:
    """A path, a controller, and the methods that the controller answers.

    :param path: a pattern: ``/users/{name}``, ``/users/{name:string}/{year:int}``. Inside an ``Include`` it may be
        empty.
    :param controller: a ``def`` or ``async def`` function, called with the request and the path parameters by
        position; or a :class:`~atlas.web.controllers.Controller` class, whose methods name the methods it answers.
    :param methods: the methods, ``("GET",)`` by default. HEAD is added to GET, and OPTIONS is answered by the router.
    :param name: the name for ``url_for``; by default the name of the controller.
    :param middleware: middleware around the controller, inside the middleware of the application.
    :param run: how a ``def`` controller runs. ``greenlet``: on the event loop, where waiting does not block the loop.
        ``inline``: on the event loop without a greenlet, which costs a little less; the body is read before the call,
        and the controller cannot wait. ``thread``: in a thread, where it may block. ``auto``, the default: as the
        setting ``sync_mode`` says, or else ``greenlet``.
    :param cancel: whether the controller is cancelled when the client disconnects. None, the default: for GET and
        HEAD, and while a response streams. Other requests run to the end, because they may have changed something.
    :param timeout: seconds until the request is cancelled and answered with 503; None, the default, for no timeout.
    :param limit_body: maximum size of a request body in bytes; None, the default, for the limit of the application.
    :raises StartupError: for a pattern, method or controller that cannot work; the message names file and line.

    :ivar place: file and line where the route was written.
    :ivar host: the host that the route belongs to; None for every host.
    :ivar host_pattern: the parameters of the host; None for a host without parameters.
    :ivar is_async: whether the controller is awaited.
    :ivar inputs: what the controller takes by name; None if it takes the request and the path by position.
    """

    __slots__ = (
        "_asked_run",
        "_call",
        "_named",
        "cancel",
        "controller",
        "host",
        "host_pattern",
        "inputs",
        "is_async",
        "limit_body",
        "methods",
        "middleware",
        "name",
        "path",
        "pattern",
        "place",
        "timeout",
    )

    def __init__(
        self,
        path: str,
        controller: Callable[..., Any],
        methods: Iterable[str] = ("GET",),
        *,
        name: str | None = None,
        middleware: Iterable[Any] = (),
        run: Run = "auto",
        timeout: float | None = None,
        limit_body: int | None = None,
        cancel: bool | None = None,
    ) -> None:
        self.place = caller_place()
        self.path = path
        self.host: str | None = None
        self.host_pattern: HostPattern | None = None
        self.controller = controller
        self.inputs: Inputs | None = None
        self._call: Callable[..., Any] | None = None
        self.name = name if name is not None else controller_name(controller)
        self._named = name is not None
        self.limit_body = limit_body
        self.timeout = timeout
        self.cancel = cancel
        self._asked_run: str = run
        with _located_errors(self):
            self.pattern = self._parse(path or "/")
            self.methods = self._check_methods(controller_methods(controller) or methods)
            self.is_async = is_async(controller)
            self._check_controller()
            _check_run(run, timeout, is_async=self.is_async)
        self.middleware = check_middleware(middleware, self.place)

    def _parse(self, path: str) -> Pattern:
        return parse_pattern(path)

    def _check_methods(self, methods: Iterable[str]) -> tuple[str, ...]:
        if isinstance(methods, str):
            raise ValueError(f"methods: expected a sequence such as [{methods!r}], got a str")
        names = tuple(dict.fromkeys(str(method).upper() for method in methods))
        if not names:
            raise ValueError("it answers no method")
        for name in names:
            if name not in _METHODS and name != ANY:
                close = get_close_matches(name, sorted(_METHODS), 1)
                raise ValueError(f"{name!r} is no method" + (f"; did you mean {close[0]!r}?" if close else ""))
        return names

    def _is_positional(self, names: Sequence[str]) -> bool:
        """Whether the controller takes the values of the path, which have these names, by position."""
        return is_positional(self.controller, names)

    def _check_controller(self) -> None:
        """Check that the controller takes the path parameters. An ``Include`` may add parameters before them."""
        names = [parameter.name for parameter in self.pattern.parameters]
        if not controller_methods(self.controller) and self._is_positional(names):
            count = len(names)
            if not takes_more(self.controller, 1 + count):
                check_controller(self.controller, count)

    @property
    def named(self) -> bool:
        """Whether the name was passed, and not taken from the controller."""
        return self._named

    @property
    def is_mount(self) -> bool:
        """Whether a mounted ASGI application answers: in every method, and on all paths below the prefix."""
        return self.methods == (ANY,)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """The names of the parameters that the controller gets: those of the host, and those of the path."""
        names = tuple(parameter.name for parameter in self.pattern.parameters)
        if self.host_pattern is not None:
            names = (*(parameter.name for parameter in self.host_pattern.parameters), *names)
        return names

    @property
    def run(self) -> str:
        """How the controller is called: ``await``, ``inline``, ``greenlet`` or ``thread``."""
        return self.run_by("auto")

    def run_by(self, sync_mode: str) -> str:
        """Return how the controller is called under a setting of ``sync_mode``.

        :param sync_mode: the run mode of ``def`` controllers whose route has ``run="auto"``.
        :returns: ``await``, ``inline``, ``greenlet`` or ``thread``.
        """
        if self.is_async:
            return "await"
        if self._asked_run != "auto":
            return self._asked_run
        if sync_mode != "auto":
            return sync_mode
        return "greenlet"

    def flat(self) -> Iterator[Route]:
        """Iterate over the route itself, or for a controller class over one route for each of its methods."""
        methods = controller_methods(self.controller)
        if not methods:
            yield self
            return
        instance = self.controller()
        for method in methods:
            route = copy.copy(self)
            route.controller, route.methods = getattr(instance, method.lower()), (method,)
            route.is_async = is_async(route.controller)
            yield route

    def under(self, prefix: str, *, name: str | None = None, middleware: tuple[Any, ...] = ()) -> Route:
        """Copy the route with what an ``Include`` adds.

        :param prefix: goes before the path.
        :param name: goes before the name, with a colon; None for nothing.
        :param middleware: goes around the middleware of the route.
        :returns: the new route.
        :raises StartupError: if the whole path is not a valid pattern.
        """
        route = copy.copy(self)
        route.path = prefix + self.path
        route.name = self.name if name is None else f"{name}:{self.name}"
        route.middleware = middleware + self.middleware
        with _located_errors(route):
            route.pattern = route._parse(route.path or "/")
        return route

    @property
    def path_parameters(self) -> tuple[Parameter, ...]:
        """The parameters of the host and of the path, whose values the router finds."""
        of_host = self.host_pattern.parameters if self.host_pattern is not None else ()
        return (*of_host, *self.pattern.parameters)

    def check_whole(self) -> None:
        """Check what depends on the whole path, when the route is added to a router.

        :raises StartupError: for an empty path, or a controller whose parameters do not fit the path.
        """
        with _located_errors(self):
            if not self.path:
                raise ValueError("a path starts with '/'")
            names = self.parameter_names
            if len(set(names)) < len(names):
                raise ValueError(f"a parameter of the path has the name of one of the host {self.host!r}")
            if self._is_positional(names):
                check_controller(self.controller, len(names))
                check_order(self.controller, names)
            else:
                self.inputs = read_inputs(self.controller, self._converters, is_async=self.is_async)
                self._call = self._bind({})

    def call(self, overrides: Mapping[Any, Callable[..., Any]]) -> Callable[..., Any]:
        """Return what is called with the request and the values of the path by position: it calls the controller with
        what it takes.

        :param overrides: functions that stand for dependencies, in a test.
        :raises StartupError: for a function whose parameters do not fit.
        """
        if self._call is None or self.inputs is None:
            return self.controller
        if not overrides:
            return self._call
        with _located_errors(self):
            return self._bind(overrides)

    def _bind(self, overrides: Mapping[Any, Callable[..., Any]]) -> Callable[..., Any]:
        assert self.inputs is not None
        providers = find_providers(self.inputs, self._converters, overrides)
        if self._asked_run == "inline" and (waiting := [each.key for each in providers if each.is_async]):
            name = controller_name(waiting[0])
            raise ValueError(f"run='inline': a controller that runs inline cannot wait for {name}, which is async def")
        return bind_inputs(self.inputs, is_async=self.is_async, providers=providers)

    @property
    def _converters(self) -> dict[str, Converter]:
        return {parameter.name: parameter.converter for parameter in self.path_parameters}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r}, {self.name}, methods={self.methods!r})"


@contextmanager
def _located_errors(route: Route) -> Iterator[None]:
    """Turn a ValueError into a StartupError that names the route and the place where it was written."""
    try:
        yield
    except ValueError as error:
        raise StartupError(f"{route.place}: route {route.path!r}: {error}") from None


def controller_methods(controller: Any) -> tuple[str, ...]:
    """Return the methods that a controller class answers.

    :param controller: a controller.
    :returns: the methods; an empty tuple for a function.
    :raises ValueError: for a controller class without methods.
    """
    if inspect.isclass(controller) and issubclass(controller, Controller):
        return controller.methods()
    return ()


def _check_run(run: str, timeout: float | None, *, is_async: bool) -> None:
    if run not in _RUNS:
        raise ValueError(f"run: expected one of {', '.join(_RUNS)}, got {run!r}")
    if is_async and run != "auto":
        raise ValueError(f"run={run!r} is for def controllers, and this one is async def")
    if timeout is not None and not timeout > 0:
        raise ValueError(f"timeout: expected a number of seconds above zero, got {timeout!r}")
    if timeout is not None and run == "inline":
        raise ValueError("timeout: a controller that runs inline cannot be interrupted")
