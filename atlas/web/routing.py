"""Routes, and the router that finds the one for a path.

The router is a compiled tree over all routes of a host (:mod:`atlas._speedups.calls.router`), built when it is first asked
and again when routes were added. What stands in a pattern as it is comes before typed parameters, those before
``string``, and ``path`` last; a branch that leads nowhere is left for the next one.
"""

from __future__ import annotations

import copy
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, Protocol, TypeAlias
from urllib.parse import quote, urlencode

from atlas._speedups.calls.router import RouteTree
from atlas.errors import StartupError
from atlas.web.controllers import Controller, check_controller, controller_name, is_async, takes_more
from atlas.web.middleware.chain import check_middleware
from atlas.web.patterns import Pattern, parse_pattern

__all__ = ["Entry", "Match", "Miss", "Route", "RouteInfo", "Router", "Run", "caller_place", "matchable_path"]

Run: TypeAlias = Literal["auto", "inline", "greenlet", "thread"]
_RUNS = ("auto", "inline", "greenlet", "thread")
_METHOD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Z]+")
ANY, WEBSOCKET = "*", "<websocket>"  # no method of a request: that has no "<", and "*" is answered as any other
_UNLISTED = (ANY, WEBSOCKET)


def caller_place() -> str:
    """File and line of the nearest caller outside of Atlas's web half: where a person wrote the route."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("atlas.web."):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


class Entry(Protocol):
    """What may stand in a list of routes."""

    def flat(self) -> Iterator[Route]:
        """The routes that it stands for."""


class Route:
    """A path, a controller, and the methods that it answers.

    :param path: a pattern: ``/users/{name}``, ``/users/{name:string}/{year:int}``. Inside of an ``Include`` it may be
        empty.
    :param controller: ``def`` or ``async def``, called with the request and the path parameters by position; or a
        :class:`~atlas.web.controllers.Controller` class, whose methods say which ones it answers.
    :param methods: HEAD comes with GET, and OPTIONS by itself.
    :param name: for ``url_for``; the controller's own name without it.
    :param middleware: what stands around the controller, inside of the application's.
    :param run: how a ``def`` controller runs: in a ``greenlet`` on the event loop, where it can wait without holding
        the others up; ``inline``, which costs a little less, where it cannot wait, the body being read before; or in a
        ``thread``, where it may block. ``auto`` is a greenlet, unless the configuration says ``sync_mode = "thread"``.
    :param cancel: whether a client that leaves cancels the controller where it waits. None: with GET and HEAD, and
        while a response streams; others are let finish, for what they have begun may have to be brought to its end.
    :param timeout: seconds until the request is given up, and answered with 503.
    :param limit_body: bytes that a request body may have, instead of the application's limit.
    :raises StartupError: for a pattern, method or controller that cannot work; it names file and line.
    """

    __slots__ = (
        "_asked_run",
        "_named",
        "cancel",
        "controller",
        "host",
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
        self.controller = controller
        self.name = name if name is not None else controller_name(controller)
        self._named = name is not None
        self.limit_body = limit_body
        self.timeout = timeout
        self.cancel = cancel
        self._asked_run: str = run
        with _told_with_place(self):
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
            if not _METHOD.fullmatch(name):
                raise ValueError(f"{name!r} is no method")
        return names

    def _check_controller(self) -> None:
        """Whether it takes the parameters of the path. Those of the prefix of an Include come in front of them."""
        if not controller_methods(self.controller):
            count = len(self.pattern.parameters)
            if not takes_more(self.controller, 1 + count):
                check_controller(self.controller, count)

    @property
    def named(self) -> bool:
        """Whether the name was given, and not taken from the controller."""
        return self._named

    @property
    def run(self) -> str:
        """How the controller is called: ``await``, ``inline``, ``greenlet`` or ``thread``."""
        return self.run_by("auto")

    def run_by(self, sync_mode: str) -> str:
        """The same, with a word for those ``def`` controllers that say nothing themselves."""
        if self.is_async:
            return "await"
        if self._asked_run != "auto":
            return self._asked_run
        if sync_mode != "auto":
            return sync_mode
        return "greenlet"

    def flat(self) -> Iterator[Route]:
        """Itself; of a class of controllers one route for each of its methods."""
        methods = controller_methods(self.controller)
        if not methods:
            yield self
            return
        made = self.controller()
        for method in methods:
            route = copy.copy(self)
            route.controller, route.methods = getattr(made, method.lower()), (method,)
            route.is_async = is_async(route.controller)
            yield route

    def under(self, prefix: str, *, name: str | None = None, middleware: tuple[Any, ...] = ()) -> Route:
        """This route with a prefix before its path, a name before its name, and middleware around its own.

        :raises StartupError: if the whole makes no sense.
        """
        route = copy.copy(self)
        route.path = prefix + self.path
        route.name = self.name if name is None else f"{name}:{self.name}"
        route.middleware = middleware + self.middleware
        with _told_with_place(route):
            route.pattern = route._parse(route.path or "/")
        return route

    def check_whole(self) -> None:
        """Check what could not be known before the whole path was. :raises StartupError: for what cannot work."""
        with _told_with_place(self):
            if not self.path:
                raise ValueError("a path starts with '/'")
            check_controller(self.controller, len(self.pattern.parameters))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r}, {self.name}, methods={self.methods!r})"


@contextmanager
def _told_with_place(route: Route) -> Iterator[None]:
    """Says of a mistake in which route it is, and where that was written."""
    try:
        yield
    except ValueError as error:
        raise StartupError(f"{route.place}: route {route.path!r}: {error}") from None


def controller_methods(controller: Any) -> tuple[str, ...]:
    """The methods that a class of controllers answers; none for anything else."""
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


@dataclass(frozen=True, slots=True)
class RouteInfo:
    """One route, for tools that list them."""

    path: str
    methods: tuple[str, ...]
    name: str
    controller: Callable[..., Any]
    run: str
    place: str
    host: str | None = None


Match: TypeAlias = tuple[Route, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Miss:
    """No route: but maybe one for other methods, or for the path with the other trailing slash."""

    allow: tuple[str, ...] = ()
    other_slash: bool = False


class Router:
    """Finds the route of a path, and the path of a route."""

    __slots__ = ("_claims", "_hosts", "_leaves", "_names", "_tree", "routes")

    def __init__(self, routes: Iterable[Entry] = ()) -> None:
        self.routes: list[Route] = []
        self._names: dict[str, Route] = {}
        # Who answers what: by host, shape and method, for the message when somebody else wants to; and what the trees
        # are made of, by host and pattern.
        self._claims: dict[tuple[Any, ...], Route] = {}
        self._leaves: dict[tuple[Any, ...], tuple[list[Any], dict[str, Route]]] = {}
        self._tree: RouteTree[Route] | None = None
        self._hosts: dict[str, RouteTree[Route]] = {}
        for route in routes:
            self.add(route)

    def add(self, entry: Entry) -> None:
        """Add a route, or whatever stands for several.

        :raises StartupError: if its pattern and method, or its name, are there already; it names both places.
        """
        for route in entry.flat():
            route.check_whole()
            self._claim(route)
            self._add_name(route)
            parts = route.pattern.parts
            _, routes = self._leaves.setdefault((route.host, *parts), (parts, {}))
            routes.update(dict.fromkeys(route.methods, route))
            if "GET" in route.methods:
                routes.setdefault("HEAD", route)
            self.routes.append(route)
        self._tree = None

    def _claim(self, route: Route) -> None:
        for method in route.methods:
            there = self._claims.setdefault((route.host, route.pattern.shape, method), route)
            if there is not route:
                raise StartupError(
                    f"{route.place}: route {route.path!r}: {method} is answered already by {there.path!r} "
                    f"at {there.place}"
                )

    def _add_name(self, route: Route) -> None:
        there = self._names.get(route.name)
        if there is None or (route.named and not there.named):
            self._names[route.name] = route
        elif route.named and there.path != route.path:
            raise StartupError(
                f"{route.place}: route {route.path!r}: the name {route.name!r} is that of {there.path!r} "
                f"at {there.place} already"
            )

    def _build(self) -> RouteTree[Route]:
        """The trees: of each host its own routes over those of no host."""
        hosts = {route.host for route in self.routes if route.host is not None}
        leaves = [(host, parts, routes) for (host, *_), (parts, routes) in self._leaves.items()]
        shared = [(parts, routes) for host, parts, routes in leaves if host is None]
        self._hosts = {
            host: RouteTree([*shared, *((parts, routes) for other, parts, routes in leaves if other == host)])
            for host in hosts
        }
        tree = self._tree = RouteTree(shared)
        return tree

    def match(self, method: str, path: bytes, *, decoded: bool = False, host: str | None = None) -> Match | Miss:
        """The route for a method and a path with its converted parameters, or what there is instead.

        :param path: percent-encoded, or ``decoded``, see :func:`matchable_path`.
        :param host: the ``host`` field; it counts where routes were given for hosts.
        """
        tree = self.tree
        if host is not None and self._hosts:
            tree = self._tree_of(host, tree)
        found = tree.find(method, path, decoded)
        return found if found is not None else _miss(tree, path, decoded)

    @property
    def tree(self) -> RouteTree[Route]:
        """The tree of the routes that belong to every host."""
        return self._tree if self._tree is not None else self._build()

    @property
    def has_hosts(self) -> bool:
        """Whether there are routes for hosts, so that :meth:`match` has to know which one is asked."""
        _ = self.tree  # which is built together with those of the hosts
        return bool(self._hosts)

    def _tree_of(self, host: str, tree: RouteTree[Route]) -> RouteTree[Route]:
        name = host_name(host)
        while name not in self._hosts:
            _, dot, name = name.removeprefix("*.").partition(".")
            if not dot:
                return tree
            name = f"*.{name}"
        return self._hosts[name]

    def url_for(self, name: str, params: Mapping[str, Any]) -> str:
        """The path of the route of that name; parameters that its pattern has no place for become the query.

        :raises LookupError: for an unknown name; says which one is close.
        :raises ValueError: for a missing or impossible parameter.
        """
        route = self._names.get(name)
        if route is None:
            close = get_close_matches(name, self._names, 1)
            raise LookupError(f"no route is named {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
        left = dict(params)
        path = route.pattern.fill(left)
        return f"{path}?{urlencode(left, doseq=True)}" if left else path

    def __iter__(self) -> Iterator[RouteInfo]:
        for each in self.routes:
            methods = tuple("WEBSOCKET" if method == WEBSOCKET else method for method in each.methods)
            yield RouteInfo(each.path, methods, each.name, each.controller, each.run, each.place, each.host)


def _miss(tree: RouteTree[Route], path: bytes, decoded: bool) -> Miss:
    methods = _listed(tree, path, decoded)
    if methods:
        return Miss(tuple(sorted(methods | {"OPTIONS"})))
    if not decoded:
        path = path.partition(b"?")[0]
    if path in (b"", b"/"):
        return Miss()
    other = path[:-1] if path.endswith(b"/") else path + b"/"
    return Miss(other_slash=bool(_listed(tree, other, decoded)) or ANY in tree.methods(other, decoded))


def _listed(tree: RouteTree[Route], path: bytes, decoded: bool) -> set[str]:
    return {method for method in tree.methods(path, decoded) if method not in _UNLISTED}


def host_name(host: str) -> str:
    """The name in a ``host`` field: without port, in lower case."""
    name = host.lower().rpartition("]")[0] + "]" if host.startswith("[") else host.lower().partition(":")[0]
    return name.removesuffix(".")


def matchable_path(path: str, raw_path: bytes | None, root_path: str) -> tuple[bytes, bool]:
    """The path that routes are matched against, without ``root_path``, and whether it is decoded.

    :param path: as in the scope: decoded.
    :param raw_path: as in the scope: percent-encoded, where the server has it.
    """
    if raw_path is not None and not root_path:
        return raw_path or b"/", False
    if raw_path is not None:
        raw_root = quote(root_path).encode("ascii")
        left = raw_path.partition(b"?")[0].removeprefix(raw_root)
        if len(left) < len(raw_path) and left[:1] in (b"/", b""):
            return left or b"/", False
        if path == root_path or not path.startswith(root_path + "/"):
            return raw_path, False  # this server leaves the root path out
    if root_path and path.startswith(root_path) and path[len(root_path) :][:1] in ("/", ""):
        path = path[len(root_path) :]
    return (path or "/").encode("utf-8", "surrogateescape"), True
