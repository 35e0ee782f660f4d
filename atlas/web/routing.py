"""Routes, their patterns, and the router that finds the one for a path.

The router is a tree over the segments of the path. What stands in a pattern as it is comes before typed parameters,
those before ``string``, and ``path`` last; a branch that leads nowhere is left for the next one. Its one question is
:meth:`Router.match`; the rest of the framework knows nothing of the tree.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NamedTuple, TypeAlias, TypeVar
from urllib.parse import quote, unquote, urlencode

from atlas.errors import StartupError
from atlas.web.controllers import check_controller, controller_name, is_async
from atlas.web.converters import Converter, converter_names, find_converter
from atlas.web.middleware.chain import check_middleware

__all__ = ["Match", "Miss", "Route", "RouteInfo", "Router", "caller_place", "matchable_path"]

# Stands for "%2F" in a path that is decoded otherwise, so that it separates nothing. Decoding UTF-8 never yields a lone
# surrogate, so no request can bring it along.
_ENCODED_SLASH = "\udc2f"
_METHOD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Z]+")
_PARAMETER = re.compile(r"\{([^{}]*)\}")
F = TypeVar("F", bound=Callable[..., Any])


def caller_place() -> str:
    """File and line of the nearest caller outside of Atlas's web half: where a person wrote the route."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("atlas.web."):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


class Parameter(NamedTuple):
    """A named hole in a pattern and what may stand in it."""

    name: str
    converter: Converter


@dataclass(frozen=True, slots=True)
class Pattern:
    """A path pattern taken apart: for each segment its text, or the parameter that stands there.

    :ivar quoted: the same with the texts percent-encoded.
    """

    text: str
    segments: tuple[str | Parameter, ...]
    quoted: tuple[str | Parameter, ...]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return tuple(segment for segment in self.segments if isinstance(segment, Parameter))

    def fill(self, values: dict[str, Any]) -> str:
        """The path with these values in it, percent-encoded; takes those that it uses out of ``values``.

        :raises ValueError: for a missing value, or one that its converter refuses.
        """
        return "/".join(
            segment if isinstance(segment, str) else self._fill_one(segment, values) for segment in self.quoted
        )

    def _fill_one(self, parameter: Parameter, values: dict[str, Any]) -> str:
        if parameter.name not in values:
            raise ValueError(f"{self.text}: no value for {parameter.name!r}")
        try:
            text = parameter.converter.format(values.pop(parameter.name))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.text}: {parameter.name!r}: {error}") from None
        # A segment of dots would be taken away by the client (RFC 3986 5.2.4), encoded or not.
        if text in (".", ".."):
            raise ValueError(f"{self.text}: {parameter.name!r} cannot be {text!r} in a path")
        return quote(text, safe=_SAFE + "/" * parameter.converter.many)


_SAFE = "-._~!$&'()*+,;=:@"  # pchar, RFC 3986 3.3


def parse_pattern(text: str) -> Pattern:
    """Take a pattern apart.

    :raises ValueError: if it makes no sense; the message says why, in words for the one who wrote it.
    """
    if not text.startswith("/"):
        raise ValueError("a path starts with '/'")
    if "?" in text or "#" in text:
        raise ValueError("a path has no '?' and no '#'")
    segments = tuple(_parse_segment(segment) for segment in text.split("/"))
    names = [segment.name for segment in segments if isinstance(segment, Parameter)]
    if len(set(names)) < len(names):
        raise ValueError("two parameters have the same name")
    if any(isinstance(segment, Parameter) and segment.converter.many for segment in segments[:-1]):
        raise ValueError("a parameter that takes all of the rest has to be the last one")
    quoted = tuple(quote(segment, safe=_SAFE) if isinstance(segment, str) else segment for segment in segments)
    return Pattern(text, segments, quoted)


def _parse_segment(segment: str) -> str | Parameter:
    found = _PARAMETER.fullmatch(segment)
    if found is None:
        if "{" in segment or "}" in segment:
            raise ValueError(f"{segment!r}: a parameter is a whole segment, as in '/users/{{name}}'")
        return segment
    name, colon, kind = found[1].partition(":")
    if not name.isidentifier():
        raise ValueError(f"{segment!r}: {name!r} is no name for a parameter")
    kind = kind if colon else "string"
    converter = find_converter(kind)
    if converter is None:
        close = get_close_matches(kind, converter_names(), 1)
        hint = f"did you mean {close[0]!r}?" if close else "known are " + ", ".join(converter_names())
        raise ValueError(f"{segment!r}: no converter {kind!r}; {hint}")
    return Parameter(name, converter)


class Route:
    """A path, a controller, and the methods that it answers.

    :param path: a pattern: ``/users/{name}``, ``/users/{name:string}/{year:int}``.
    :param controller: ``def`` or ``async def``, called with the request and the path parameters by position.
    :param methods: HEAD comes with GET, and OPTIONS by itself.
    :param name: for ``url_for``; the controller's own name without it.
    :param middleware: what stands around the controller, inside of the application's.
    :param limit_body: bytes that a request body may have, instead of the application's limit.
    :raises StartupError: for a pattern, method or controller that cannot work; it names file and line.
    """

    __slots__ = (
        "_named",
        "controller",
        "is_async",
        "limit_body",
        "methods",
        "middleware",
        "name",
        "path",
        "pattern",
        "place",
    )

    def __init__(
        self,
        path: str,
        controller: Callable[..., Any],
        methods: Iterable[str] = ("GET",),
        *,
        name: str | None = None,
        middleware: Iterable[Any] = (),
        limit_body: int | None = None,
    ) -> None:
        self.place = caller_place()
        self.path = path
        try:
            self.pattern = parse_pattern(path)
            self.methods = _check_methods(methods)
            check_controller(controller, len(self.pattern.parameters))
        except ValueError as error:
            raise StartupError(f"{self.place}: route {path!r}: {error}") from None
        self.controller = controller
        self.is_async = is_async(controller)
        self._named = name is not None
        self.name = name if name is not None else controller_name(controller)
        self.limit_body = limit_body
        self.middleware = check_middleware(middleware, self.place)

    @property
    def named(self) -> bool:
        """Whether the name was given, and not taken from the controller."""
        return self._named

    @property
    def run(self) -> str:
        """How the controller is called: awaited, or inline on the event loop."""
        return "await" if self.is_async else "inline"

    def __repr__(self) -> str:
        return f"Route({self.path!r}, {self.name}, methods={self.methods!r})"


def _check_methods(methods: Iterable[str]) -> tuple[str, ...]:
    if isinstance(methods, str):
        raise ValueError(f"methods: expected a sequence such as [{methods!r}], got a str")
    names = tuple(dict.fromkeys(str(method).upper() for method in methods))
    if not names:
        raise ValueError("it answers no method")
    for name in names:
        if not _METHOD.fullmatch(name):
            raise ValueError(f"{name!r} is no method")
    return names


@dataclass(frozen=True, slots=True)
class RouteInfo:
    """One route, for tools that list them."""

    path: str
    methods: tuple[str, ...]
    name: str
    controller: Callable[..., Any]
    run: str
    place: str


Match: TypeAlias = tuple[Route, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Miss:
    """No route: but maybe one for other methods, or for the path with the other trailing slash."""

    allow: tuple[str, ...] = ()
    other_slash: bool = False


@dataclass(slots=True)
class _Leaf:
    """The end of a pattern: which route answers which method."""

    routes: dict[str, Route] = field(default_factory=dict)


@dataclass(slots=True)
class _Branch:
    """A parameter and what follows it."""

    converter: Converter
    node: _Node


@dataclass(slots=True)
class _Node:
    texts: dict[str, _Node] = field(default_factory=dict)
    branches: list[_Branch] = field(default_factory=list)
    leaf: _Leaf | None = None


class Router:
    """Finds the route of a path, and the path of a route."""

    __slots__ = ("_names", "_plain", "_root", "routes")

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        self.routes: list[Route] = []
        self._root = _Node()
        # Paths without a parameter, answered by one look-up; the tree has them as well.
        self._plain: dict[str, _Leaf] = {}
        self._names: dict[str, Route] = {}
        for route in routes:
            self.add(route)

    def add(self, route: Route) -> None:
        """Add a route.

        :raises StartupError: if its pattern and method, or its name, are there already; it names both places.
        """
        self._add_name(route)
        leaf = self._leaf_for(route.pattern)
        for method in route.methods:
            there = leaf.routes.get(method)
            # The HEAD that came with a GET gives way to one of its own.
            if there is not None and method in there.methods:
                raise StartupError(
                    f"{route.place}: route {route.path!r}: {method} is answered already by {there.path!r} "
                    f"at {there.place}"
                )
            leaf.routes[method] = route
        if "GET" in route.methods:
            leaf.routes.setdefault("HEAD", route)
        if not route.pattern.parameters:
            self._plain[route.path] = leaf
        self.routes.append(route)

    def _add_name(self, route: Route) -> None:
        there = self._names.get(route.name)
        if there is None or (route.named and not there.named):
            self._names[route.name] = route
        elif route.named and there.path != route.path:
            raise StartupError(
                f"{route.place}: route {route.path!r}: the name {route.name!r} is that of {there.path!r} "
                f"at {there.place} already"
            )

    def _leaf_for(self, pattern: Pattern) -> _Leaf:
        node = self._root
        for segment in pattern.segments[1:]:
            if isinstance(segment, str):
                node = node.texts.setdefault(segment, _Node())
            else:
                node = _branch_for(node, segment).node
        if node.leaf is None:
            node.leaf = _Leaf()
        return node.leaf

    def match(self, method: str, path: str) -> Match | Miss:
        """The route for a method and a path with its converted parameters, or what there is instead.

        :param path: as :func:`matchable_path` gives it.
        """
        leaf = self._plain.get(path)
        if leaf is not None:
            route = leaf.routes.get(method)
            if route is not None:
                return route, ()
        passed: list[_Leaf] = []
        found = _find(self._root, path.split("/"), 1, method, (), passed)
        return found if found is not None else self._miss(path, passed)

    def _miss(self, path: str, passed: list[_Leaf]) -> Miss:
        if passed:
            methods = {method for leaf in passed for method in leaf.routes}
            return Miss(tuple(sorted(methods | {"OPTIONS"})))
        if path in ("", "/"):
            return Miss()
        other = path[:-1] if path.endswith("/") else path + "/"
        _find(self._root, other.split("/"), 1, "", (), passed)
        return Miss(other_slash=bool(passed))

    def url_for(self, name: str, params: dict[str, Any]) -> str:
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
        for route in self.routes:
            yield RouteInfo(route.path, route.methods, route.name, route.controller, route.run, route.place)


def _branch_for(node: _Node, parameter: Parameter) -> _Branch:
    for branch in node.branches:
        if branch.converter is parameter.converter:
            return branch
    branch = _Branch(parameter.converter, _Node())
    node.branches.append(branch)
    node.branches.sort(key=lambda branch: branch.converter.rank)
    return branch


def _find(
    node: _Node, segments: list[str], index: int, method: str, values: tuple[Any, ...], passed: list[_Leaf]
) -> Match | None:
    """The first route below ``node`` that fits; leaves that fit but for the method are noted in ``passed``."""
    if index == len(segments):
        return _at_leaf(node, method, values, passed)
    segment = segments[index]
    child = node.texts.get(segment)
    if child is not None:
        found = _find(child, segments, index + 1, method, values, passed)
        if found is not None:
            return found
    for branch in node.branches if segment else ():
        converter = branch.converter
        text, after = ("/".join(segments[index:]), len(segments)) if converter.many else (segment, index + 1)
        try:
            value = converter.parse(text.replace(_ENCODED_SLASH, "/") if _ENCODED_SLASH in text else text)
        except ValueError:
            continue
        found = _find(branch.node, segments, after, method, (*values, value), passed)
        if found is not None:
            return found
    return None


def _at_leaf(node: _Node, method: str, values: tuple[Any, ...], passed: list[_Leaf]) -> Match | None:
    if node.leaf is None:
        return None
    route = node.leaf.routes.get(method)
    if route is None:
        passed.append(node.leaf)
        return None
    return route, values


def matchable_path(path: str, raw_path: bytes | None, root_path: str) -> str:
    """The path that routes are matched against: decoded, without ``root_path``, an encoded slash being no separator.

    :param path: as in the scope: decoded.
    :param raw_path: as in the scope: percent-encoded, where the server has it.
    """
    if raw_path is not None and b"%" in raw_path and b"%2f" in raw_path.lower():
        whole = raw_path.partition(b"?")[0].decode("latin-1")
        path = re.sub("%2f", _ENCODED_SLASH, whole, flags=re.IGNORECASE)
        path = _ENCODED_SLASH.join(unquote(part) for part in path.split(_ENCODED_SLASH))
    if root_path and path.startswith(root_path) and path[len(root_path) :][:1] in ("/", ""):
        path = path[len(root_path) :]
    return path or "/"
