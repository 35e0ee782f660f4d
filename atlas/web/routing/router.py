"""The router: finds the route for a path, and the path of a route.

All routes of a host form one compiled tree (:mod:`atlas._speedups.calls.router`). The tree is built when it is first
needed, and again after routes were added. Literal text takes precedence over typed parameters, typed parameters over
``string``, and ``string`` over ``path``. A branch without a matching route is left, and the next one is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

from atlas._speedups.calls.router import RouteTree
from atlas.errors import StartupError
from atlas.web.routing.route import ANY, WEBSOCKET, Entry, Route

__all__ = ["Match", "NoMatch", "RouteInfo", "Router", "host_name", "matchable_path"]

_NOT_IN_ALLOW = (ANY, WEBSOCKET)


@dataclass(frozen=True, slots=True)
class RouteInfo:
    """One route, for tools that list the routes of an application.

    :ivar path: the pattern.
    :ivar methods: the methods; ``WEBSOCKET`` for a WebSocket route.
    :ivar name: the name for ``url_for``.
    :ivar controller: the function that answers.
    :ivar run: how the controller is called: ``await``, ``inline``, ``greenlet`` or ``thread``.
    :ivar place: file and line where the route was written.
    :ivar host: the host that the route belongs to; None for every host.
    """

    path: str
    methods: tuple[str, ...]
    name: str
    controller: Callable[..., Any]
    run: str
    place: str
    host: str | None = None


Match: TypeAlias = tuple[Route, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class NoMatch:
    """No route matches a method and a path.

    :ivar allow: the methods that the path has routes for, sorted; empty if the path has none.
    :ivar other_slash: whether the path with the other trailing slash has routes.
    """

    allow: tuple[str, ...] = ()
    other_slash: bool = False


class Router:
    """Routes by path and by name.

    :param routes: the first routes; :meth:`add` adds more.
    :raises StartupError: as :meth:`add` does.

    :ivar routes: every route, in the order in which they were added.
    """

    __slots__ = ("_claims", "_hosts", "_leaves", "_names", "_tree", "routes")

    def __init__(self, routes: Iterable[Entry] = ()) -> None:
        self.routes: list[Route] = []
        self._names: dict[str, Route] = {}
        # By host, shape and method: the route that was added first, to report a second one.
        self._claims: dict[tuple[Any, ...], Route] = {}
        # By host and parts of the pattern: what the trees are built from.
        self._leaves: dict[tuple[Any, ...], tuple[list[Any], dict[str, Route]]] = {}
        self._tree: RouteTree[Route] | None = None
        self._hosts: dict[str, RouteTree[Route]] = {}
        for route in routes:
            self.add(route)

    def add(self, entry: Entry) -> None:
        """Add a route, or an entry that stands for several routes.

        :param entry: a :class:`Route`, ``Include``, ``Host``, ``Mount`` or ``Static``.
        :raises StartupError: if a route with the same pattern and method, or with the same name, exists already; the
            message names both places.
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
        """Build the trees: one of the routes without a host, and for each host one that adds its own routes."""
        hosts = {route.host for route in self.routes if route.host is not None}
        leaves = [(host, parts, routes) for (host, *_), (parts, routes) in self._leaves.items()]
        shared = [(parts, routes) for host, parts, routes in leaves if host is None]
        self._hosts = {
            host: RouteTree([*shared, *((parts, routes) for other, parts, routes in leaves if other == host)])
            for host in hosts
        }
        tree = self._tree = RouteTree(shared)
        return tree

    def match(self, method: str, path: bytes, *, decoded: bool = False, host: str | None = None) -> Match | NoMatch:
        """Find the route for a method and a path.

        :param method: the method, in upper case.
        :param path: the path without root path, percent-encoded, or decoded: see :func:`matchable_path`.
        :param decoded: whether ``path`` is decoded.
        :param host: the value of the ``host`` field, needed only if :attr:`has_hosts`.
        :returns: the route and its converted path parameters, or a :class:`NoMatch`.
        """
        tree = self.tree
        if host is not None and self._hosts:
            tree = self._tree_of(host, tree)
        found = tree.find(method, path, decoded)
        return found if found is not None else _no_match(tree, path, decoded)

    @property
    def tree(self) -> RouteTree[Route]:
        """The tree of the routes that belong to every host. It is built if routes were added since."""
        return self._tree if self._tree is not None else self._build()

    @property
    def has_hosts(self) -> bool:
        """Whether some routes belong to a host, so that :meth:`match` needs the ``host`` field."""
        _ = self.tree  # builds the trees of the hosts too
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
        """Build the path of a route.

        :param name: the name of the route.
        :param params: values of the path parameters; the others become the query string.
        :returns: the path, percent-encoded, without root path.
        :raises LookupError: for an unknown name; the message suggests a close match.
        :raises ValueError: for a missing path parameter, or a value that its converter refuses.
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


def _no_match(tree: RouteTree[Route], path: bytes, decoded: bool) -> NoMatch:
    methods = _listed(tree, path, decoded)
    if methods:
        return NoMatch(tuple(sorted(methods | {"OPTIONS"})))
    if not decoded:
        path = path.partition(b"?")[0]
    if path in (b"", b"/"):
        return NoMatch()
    other = path[:-1] if path.endswith(b"/") else path + b"/"
    return NoMatch(other_slash=bool(_listed(tree, other, decoded)) or ANY in tree.methods(other, decoded))


def _listed(tree: RouteTree[Route], path: bytes, decoded: bool) -> set[str]:
    return {method for method in tree.methods(path, decoded) if method not in _NOT_IN_ALLOW}


def host_name(host: str) -> str:
    """Return the name in a ``host`` field.

    :param host: the value of the field.
    :returns: the name in lower case, without port and final dot.
    """
    name = host.lower().rpartition("]")[0] + "]" if host.startswith("[") else host.lower().partition(":")[0]
    return name.removesuffix(".")


def matchable_path(path: str, raw_path: bytes | None, root_path: str) -> tuple[bytes, bool]:
    """Return the path to match routes against, without ``root_path``.

    :param path: ``path`` of the scope: decoded.
    :param raw_path: ``raw_path`` of the scope: percent-encoded; None if the server does not have it.
    :param root_path: ``root_path`` of the scope: decoded.
    :returns: the path as bytes, and whether it is decoded.
    """
    if raw_path is not None and not root_path:
        return raw_path or b"/", False
    if raw_path is not None:
        raw_root = quote(root_path).encode("ascii")
        left = raw_path.partition(b"?")[0].removeprefix(raw_root)
        if len(left) < len(raw_path) and left[:1] in (b"/", b""):
            return left or b"/", False
        if path == root_path or not path.startswith(root_path + "/"):
            return raw_path, False  # the server leaves the root path out of the path
    if root_path and path.startswith(root_path) and path[len(root_path) :][:1] in ("/", ""):
        path = path[len(root_path) :]
    return (path or "/").encode("utf-8", "surrogateescape"), True
