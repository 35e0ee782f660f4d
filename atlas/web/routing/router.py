"""The router: finds the route for a path, and the path of a route.

All routes of a host form one compiled tree (:mod:`atlas._speedups.calls.router`). The tree is built when it is first
needed, and again after routes were added. Literal text takes precedence over typed parameters, typed parameters over
``string``, and ``string`` over ``path``. A branch without a matching route is left, and the next one is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from threading import RLock
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlencode

from atlas._speedups.calls.request import decode_path
from atlas._speedups.calls.router import RouteTree
from atlas.errors import StartupError
from atlas.types import Scope
from atlas.web.call_site import caller_place
from atlas.web.routing.hosts import HostPattern, host_name
from atlas.web.routing.route import ANY, WEBSOCKET, Entry, Route, check_entries

__all__ = ["Match", "NoMatch", "RouteInfo", "Router", "matchable_path", "with_routed_path"]

_NOT_IN_ALLOW = (ANY, WEBSOCKET)
_NOTHING: Mapping[str, Any] = {}


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
    :ivar websocket: whether the path has a WebSocket route.
    """

    allow: tuple[str, ...] = ()
    other_slash: bool = False
    websocket: bool = False


class _Trees(NamedTuple):
    """The trees over all routes: one of the routes without a host, and for each host one that adds its own routes.
    Hosts with parameters are in the order in which they are tried.

    They are never changed: a search may still use them when others have replaced them.
    """

    shared: RouteTree[Route]
    hosts: Mapping[str, RouteTree[Route]]
    patterns: tuple[tuple[HostPattern, RouteTree[Route]], ...]


class Router:
    """Routes by path and by name. Any thread may add routes, also while a path is matched.

    :param routes: the first routes; :meth:`add` adds more.
    :raises StartupError: as :meth:`add` does.

    :ivar routes: every route, in the order in which they were added.
    :ivar lock: held while routes are added, and while something is built from all of them.
    :ivar on_change: called after routes were added, with the lock held; nothing by default.
    """

    __slots__ = ("_claims", "_leaves", "_names", "_trees", "lock", "on_change", "routes")

    def __init__(self, routes: Iterable[Entry] = ()) -> None:
        self.lock = RLock()
        self.on_change: Callable[[], None] = lambda: None
        self.routes: list[Route] = []
        self._names: dict[str, Route] = {}
        # By host, shape and method: the route that was added first, to report a second one.
        self._claims: dict[tuple[Any, ...], Route] = {}
        # By host and parts of the pattern: what the trees are built from.
        self._leaves: dict[tuple[Any, ...], tuple[list[Any], dict[str, Route]]] = {}
        self._trees: _Trees | None = None
        for entry in check_entries(routes, caller_place()):
            self.add(entry)

    def add(self, entry: Entry) -> None:
        """Add a route, or an entry that stands for several routes.

        :param entry: a :class:`Route`, ``Include``, ``Host``, ``Mount`` or ``Static``.
        :raises StartupError: if a route with the same pattern and method, or with the same name, exists already; the
            message names both places.
        """
        check_entries((entry,), caller_place())
        with self.lock:
            for route in entry.flat():
                self._add(route)
            self._trees = None
            self.on_change()

    def _add(self, route: Route) -> None:
        route.check_whole()
        self._check_host(route)
        self._claim(route)
        self._add_name(route)
        parts = route.pattern.parts
        _, routes = self._leaves.setdefault((route.host, *parts), (parts, {}))
        routes.update(dict.fromkeys(route.methods, route))
        if "GET" in route.methods:
            routes.setdefault("HEAD", route)
        self.routes.append(route)

    def _check_host(self, route: Route) -> None:
        if route.host_pattern is None:
            return
        there = next((each for each in self.routes if _is_like(each.host_pattern, route.host_pattern)), None)
        if there is not None:
            raise StartupError(
                f"{route.place}: host {route.host!r} matches the same names as {there.host!r} at {there.place}"
            )

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

    def _build(self) -> _Trees:
        with self.lock:
            hosts = {route.host for route in self.routes if route.host is not None}
            patterns = {route.host_pattern for route in self.routes if route.host_pattern is not None}
            leaves = [(host, parts, routes) for (host, *_), (parts, routes) in self._leaves.items()]
            shared = [(parts, routes) for host, parts, routes in leaves if host is None]
            by_host = {
                host: RouteTree([*shared, *((parts, routes) for other, parts, routes in leaves if other == host)])
                for host in hosts
            }
            ordered = tuple((each, by_host.pop(each.text)) for each in sorted(patterns, key=lambda each: each.order))
            trees = self._trees = _Trees(RouteTree(shared), by_host, ordered)
            return trees

    def match(self, method: str, path: bytes, *, decoded: bool = False, host: str | None = None) -> Match | NoMatch:
        """Find the route for a method and a path.

        :param method: the method, in upper case.
        :param path: the path without root path, percent-encoded, or decoded: see :func:`matchable_path`.
        :param decoded: whether ``path`` is decoded.
        :param host: the value of the ``host`` field, needed only if :attr:`has_hosts`.
        :returns: the route and its converted path parameters, or a :class:`NoMatch`.
        """
        trees = self._trees or self._build()
        tree, values = trees.shared, ()
        if host is not None and (trees.hosts or trees.patterns):
            tree, values = _tree_of(host_name(host), trees)
        found = tree.find(method, path, decoded)
        if found is None:
            return _no_match(tree, path, decoded)
        return found if found[0].host_pattern is None else (found[0], (*values, *found[1]))

    @property
    def tree(self) -> RouteTree[Route]:
        """The tree of the routes that belong to every host. It is built if routes were added since."""
        return (self._trees or self._build()).shared

    @property
    def has_hosts(self) -> bool:
        """Whether some routes belong to a host, so that :meth:`match` needs the ``host`` field."""
        trees = self._trees or self._build()
        return bool(trees.hosts or trees.patterns)

    def url_for(self, name: str, params: Mapping[str, Any]) -> str:
        """Build the URL of a route: its path; with the host, as ``//host/path``, if that has parameters.

        :param name: the name of the route.
        :param params: as for :meth:`url_parts`.
        :returns: the URL, percent-encoded, without root path. Raises what :meth:`url_parts` raises.
        """
        host, path = self.url_parts(name, params)
        return path if host is None else f"//{host}{path}"

    def url_parts(
        self, name: str, params: Mapping[str, Any], host: str | None = None, known: Mapping[str, Any] = _NOTHING
    ) -> tuple[str | None, str]:
        """Build host and path of a route.

        :param name: the name of the route.
        :param params: values of the parameters of host and path; the others become the query string.
        :param host: the host pattern of the current route, if it has one.
        :param known: the parameters of the current request, which parameters of the same host pattern default to.
        :returns: the host, None if the host of the route has no parameters; and the path, percent-encoded, without root
            path.
        :raises LookupError: for an unknown name; the message suggests a close match.
        :raises ValueError: for a missing parameter, or a value that its converter refuses.
        """
        route = self._names.get(name)
        if route is None:
            close = get_close_matches(name, self._names, 1)
            raise LookupError(f"no route is named {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
        left, own = dict(params), None
        if route.host_pattern is not None:
            if route.host == host:
                left = {**{each.name: known[each.name] for each in route.host_pattern.parameters}, **left}
            own = route.host_pattern.fill(left)
        path = route.pattern.fill(left)
        return own, f"{path}?{urlencode(left, doseq=True)}" if left else path

    def __iter__(self) -> Iterator[RouteInfo]:
        for each in self.routes:
            methods = tuple("WEBSOCKET" if method == WEBSOCKET else method for method in each.methods)
            yield RouteInfo(each.path, methods, each.name, each.controller, each.run, each.place, each.host)


def _is_like(one: HostPattern | None, other: HostPattern) -> bool:
    """Whether two patterns that are written differently match the same names."""
    return one is not None and one.text != other.text and one.shape == other.shape


def _no_match(tree: RouteTree[Route], path: bytes, decoded: bool) -> NoMatch:
    methods = _listed(tree, path, decoded)
    websocket = WEBSOCKET in tree.methods(path, decoded)
    if methods:
        return NoMatch(tuple(sorted(methods | {"OPTIONS"})), websocket=websocket)
    if websocket:
        return NoMatch(websocket=True)
    if not decoded:
        path = path.partition(b"?")[0]
    if path in (b"", b"/"):
        return NoMatch()
    other = path[:-1] if path.endswith(b"/") else path + b"/"
    return NoMatch(other_slash=bool(_listed(tree, other, decoded)) or ANY in tree.methods(other, decoded))


def _listed(tree: RouteTree[Route], path: bytes, decoded: bool) -> set[str]:
    return {method for method in tree.methods(path, decoded) if method not in _NOT_IN_ALLOW}


def _tree_of(name: str, trees: _Trees) -> tuple[RouteTree[Route], tuple[Any, ...]]:
    """Return the tree of a host, and the values of the parameters of its pattern."""
    if name in trees.hosts:
        return trees.hosts[name], ()
    for pattern, tree in trees.patterns:
        if (values := pattern.match(name)) is not None:
            return tree, values
    while name not in trees.hosts:
        _, dot, name = name.removeprefix("*.").partition(".")
        if not dot:
            return trees.shared, ()
        name = f"*.{name}"
    return trees.hosts[name], ()


def matchable_path(path: str, raw_path: bytes | None, root_path: str) -> tuple[bytes, bool]:
    """Return the path to match routes against, without ``root_path``.

    It is the percent-encoded one, because only that tells an encoded slash from a separator; but ``path`` where the two
    differ: an ASGI middleware has changed it, or the server has no ``raw_path``.

    :param path: ``path`` of the scope: decoded, except for encoded slashes in a scope from :func:`with_routed_path`.
    :param raw_path: ``raw_path`` of the scope: percent-encoded; None if the server does not have it.
    :param root_path: ``root_path`` of the scope: decoded.
    :returns: the path as bytes, and whether it is decoded.
    """
    root = root_path.rstrip("/")
    below = path[len(root) :] if path.startswith(root) and path[len(root) :][:1] in ("/", "") else path
    if raw_path is not None and (raw := _raw_below(bytes(raw_path).partition(b"?")[0], path, below)) is not None:
        return raw or b"/", False
    return (below or "/").encode("utf-8", "surrogateescape"), True


def _raw_below(raw: bytes, path: str, below: str) -> bytes | None:
    """Return the end of a percent-encoded path that decodes to ``below``; None if it does not decode to ``path``."""
    if b"%" not in raw and raw == path.encode("utf-8", "surrogateescape"):
        return below.encode("utf-8", "surrogateescape")
    if path not in (decode_path(raw, False), decode_path(raw, True)):
        return None
    for _ in range(path.removesuffix(below).count("/")):
        raw = raw[raw.find(b"/", 1) :] if b"/" in raw[1:] else b""
    return raw if below in (decode_path(raw, False), decode_path(raw, True)) else None


def with_routed_path(scope: Scope, path: bytes, decoded: bool) -> Scope:
    """Return a scope whose ``path`` is the one that routes are matched with: an encoded slash is no separator in it.

    A server decodes it, as ASGI wants: ``/admin%2Fusers`` would be another path for a mounted application, and for a
    middleware that guards ``/admin/``, than for the router. Here it stays encoded, as ``%2F``.

    :param scope: the scope.
    :param path: the path below ``root_path``, from :func:`matchable_path`.
    :param decoded: whether ``path`` is decoded.
    :returns: the scope, or a copy.
    """
    if decoded or b"%2f" not in path.lower():
        return scope
    routed = decode_path(path, True)
    whole: str = scope["path"]
    if whole.endswith(routed):  # by an Atlas application that this one is mounted in
        return scope
    return {**scope, "path": whole.removesuffix(decode_path(path, False)) + routed}
