"""The compiled tree beside a matcher that tries every route: simple, slow, and right to look at."""

import gc
import math
import pickle
import re
import sys
import weakref
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_to_bytes
from uuid import UUID, SafeUUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from atlas._speedups.calls.handlers import Handler, RouteTable, RunMode
from atlas._speedups.calls.router import RouteTree
from atlas.web.routing.converters import Converter, find_converter

KINDS: dict[str, Any] = {
    name: find_converter(name) for name in ("string", "int", "float", "uuid", "slug", "date", "path")
}


def even(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) % 2:
        raise ValueError(text)
    return int(text)


KINDS["even"] = Converter(even, rank=0)
KINDS["tail"] = Converter(str.upper, rank=210, many=True)
KINDS["rest"] = Converter(str, rank=300, many=True, native="rest")


class Entry(NamedTuple):
    """A pattern as a tuple of segments, names of kinds in braces; it is its own answer."""

    segments: tuple[str, ...]
    methods: tuple[str, ...]


def kind_of(segment: str) -> Any:
    return KINDS[segment[1:-1]] if segment.startswith("{") else None


def tree_of(entries: Sequence[Entry]) -> RouteTree[Entry]:
    return RouteTree([(parts_of(entry), dict.fromkeys(entry.methods, entry)) for entry in entries])


def parts_of(entry: Entry) -> list[Any]:
    parts: list[Any] = []
    for segment in entry.segments:
        parts += [b"/", kind_of(segment) or segment.encode()]
    return parts


def fit(entry: Entry, given: Sequence[bytes]) -> tuple[Any, ...] | None:
    """The values of an entry for the encoded segments of a path; None if it doesn't fit."""
    values: list[Any] = []
    for place, segment in enumerate(entry.segments):
        kind = kind_of(segment)
        if kind is not None and kind.many:
            return fit_rest(kind, values, given[place:])
        if place >= len(given):
            return None
        raw = unquote_to_bytes(given[place])
        if kind is None:
            if raw != segment.encode() or (b"%2f" in given[place].lower()):
                return None
            continue
        try:
            values.append(kind.parse(raw.decode() or refuse()))
        except ValueError:
            return None
    return tuple(values) if len(given) == len(entry.segments) else None


def refuse() -> str:
    raise ValueError("empty")


def fit_rest(kind: Any, values: list[Any], rest: Sequence[bytes]) -> tuple[Any, ...] | None:
    if kind.native == "rest":
        return tuple(values) if rest else None
    if not rest or not rest[0]:
        return None
    try:
        return (*values, kind.parse("%2F".join(unquote_to_bytes(part).decode() for part in split_encoded(rest))))
    except ValueError:
        return None


def split_encoded(segments: Sequence[bytes]) -> list[bytes]:
    """The parts of a path that encoded slashes divide; they are no separators, and stay encoded."""
    return re.split(rb"%2[Ff]", b"/".join(segments))


def order(entry: Entry) -> tuple[int, ...]:
    return tuple(kind_of(segment).rank if kind_of(segment) else -1 for segment in entry.segments)


def linear(entries: Sequence[Entry], method: str, path: bytes) -> Any:
    given = path.partition(b"?")[0].split(b"/")[1:]
    fits = [(order(entry), entry, fit(entry, given)) for entry in entries if method in entry.methods]
    found = sorted((each for each in fits if each[2] is not None), key=lambda each: each[0])
    return (found[0][1], found[0][2]) if found else None


def linear_methods(entries: Sequence[Entry], path: bytes) -> list[str]:
    given = path.partition(b"?")[0].split(b"/")[1:]
    return sorted({method for entry in entries if fit(entry, given) is not None for method in entry.methods})


TEXTS = ["", "a", "ab", "abc", "b", "42", "7", "2026-11-23", "ü", "1.5", "a b", "1234567890123456789", "%zz"]
ONE = [*TEXTS, "{string}", "{int}", "{float}", "{uuid}", "{slug}", "{date}", "{even}"]
LAST = [*ONE, "{path}", "{tail}", "{rest}"]
segments = st.builds(
    lambda first, last: (*first, last), st.lists(st.sampled_from(ONE), max_size=3), st.sampled_from(LAST)
)
entries = st.builds(
    Entry, segments, st.lists(st.sampled_from(["GET", "POST", "PUT"]), min_size=1, max_size=2, unique=True).map(tuple)
)
pieces = st.one_of(
    st.sampled_from(TEXTS).map(lambda text: quote(text).encode()),
    st.sampled_from(
        [b"%2F", b"a%2fb", b"%61", b"%", b"%f", b"%FF", b"\xff", b"%C3", b"a-b_c", b"-1", b"1e5", b"2026-02-31"]
    ),
    st.sampled_from([b"00000000-0000-0000-0000-00000000000A", b"12345678901234567890", b"\xc3\xbc", b"-", b"1."]),
    st.binary(max_size=3).map(lambda raw: raw.replace(b"/", b"").replace(b"?", b"")),
)
paths = st.builds(
    lambda parts, query: b"/" + b"/".join(parts) + query,
    st.lists(pieces, min_size=1, max_size=5),
    st.sampled_from([b"", b"?a=/b%2F"]),
)


def unlike(several: list[Entry]) -> list[Entry]:
    """Without those that answer the same as one before: which of two comes first is for the caller to refuse."""
    seen: set[tuple[tuple[str, ...], str]] = set()
    kept = []
    for entry in several:
        keys = {(entry.segments, method) for method in entry.methods}
        if not keys & seen:
            kept.append(entry)
        seen |= keys
    return kept


@settings(max_examples=400, deadline=None)
@given(st.lists(entries, max_size=12).map(unlike), st.lists(paths, min_size=1, max_size=6))
@example([Entry(("",), ("GET",)), Entry(("{rest}",), ("POST",))], [b"/"])
@example([Entry(("a", "{rest}"), ("GET",))], [b"/a", b"/a/", b"/a//b"])
@example([Entry(("{path}",), ("GET",)), Entry(("{tail}",), ("POST",))], [b"/a/%2F/%ff", b"//a", b"/"])
@example([Entry(("{even}", "b"), ("GET",)), Entry(("{string}", "a"), ("GET",))], [b"/42/a", b"/42/b", b"/4%32/b"])
def test_it_finds_what_trying_every_route_finds(routes: list[Entry], asked: list[bytes]) -> None:
    tree = tree_of(routes)
    for path in asked:
        for method in ("GET", "POST"):
            assert tree.find(method, path) == linear(routes, method, path), (method, path)
        assert tree.methods(path) == linear_methods(routes, path)


@given(st.lists(entries, max_size=8).map(unlike), st.binary(max_size=30))
def test_any_path_is_safe(routes: list[Entry], path: bytes) -> None:
    tree = tree_of(routes)
    tree.find("GET", path)
    tree.find("GET", path, True)
    tree.methods(path)


def routes(*patterns: str) -> RouteTree[str]:
    return RouteTree([(parts_of(Entry(tuple(text[1:].split("/")), ())), {"GET": text}) for text in patterns])


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (b"/users/me", ("/users/me", ())),
        (b"/users/42", ("/users/{int}", (42,))),
        (b"/users/42/posts", ("/users/{string}/posts", ("42",))),
        (b"/users/a%2Fb", ("/users/{string}", ("a/b",))),
        (b"/users/a%2Fb%FFc", None),
        (b"/users/%6de", ("/users/me", ())),
        (b"/users%2Fme", None),
        (b"/users/", None),
        (b"/files/a//b/", ("/files/{path}", ("a//b/",))),
        (b"/files/a%2Fb/c", ("/files/{path}", ("a%2Fb/c",))),
        (b"/files/a%252fb/%2f", ("/files/{path}", ("a%2fb/%2F",))),
        (b"/files//a", None),
        (b"", None),
        (b"users/me", None),
    ],
)
def test_paths(path: bytes, found: Any) -> None:
    tree = routes("/users/me", "/users/{int}", "/users/{string}", "/users/{string}/posts", "/files/{path}")
    assert tree.find("GET", path) == found


def test_a_decoded_path_is_taken_as_it_is() -> None:
    tree = routes("/a/{string}")
    assert tree.find("GET", b"/a/%2F?", True) == ("/a/{string}", ("%2F?",))
    assert tree.find("GET", "/a/ü".encode(), True) == ("/a/{string}", ("ü",))


def value_of(kind: str, text: str) -> Any:
    found = routes(f"/{{{kind}}}").find("GET", f"/{text}".encode())
    return None if found is None else found[1][0]


@given(st.uuids(), st.booleans())
def test_a_uuid_is_as_the_class_makes_it(identifier: UUID, upper: bool) -> None:
    text = str(identifier).upper() if upper else str(identifier)
    found = value_of("uuid", text)
    assert (found, type(found), hash(found), repr(found)) == (identifier, UUID, hash(identifier), repr(identifier))
    assert found.is_safe is SafeUUID.unknown
    assert pickle.dumps(found) == pickle.dumps(identifier)


@given(st.dates())
def test_a_date_is_one_of_the_calendar(day: date) -> None:
    assert value_of("date", day.isoformat()) == day


@pytest.mark.parametrize("text", ["2026-02-29", "0000-01-01", "2026-13-01", "2026-00-01", "2026-1-001", "2026-11-2a"])
def test_what_is_no_date(text: str) -> None:
    assert value_of("date", text) is None


@given(st.from_regex(r"-?[0-9]{1,19}(\.[0-9]{1,19})?", fullmatch=True, alphabet="-.0123456789"))
@example("-0")
@example("-" + "9" * 19 + "." + "9" * 19)
def test_a_float_is_the_nearest_one(text: str) -> None:
    found = value_of("float", text)
    assert (found, math.copysign(1, found)) == (float(text), math.copysign(1, float(text)))


@pytest.mark.parametrize("size", [1, 2, 100, 511, 512, 513, 5000])
@pytest.mark.parametrize("escape", ["%20", "%2F", "%C3%BC"])
def test_escapes_in_paths_of_any_length(size: int, escape: str) -> None:
    tree = routes("/a/{string}/b", "/c/{path}")
    text = (escape * size).encode()
    value = unquote_to_bytes(text).decode()
    assert tree.find("GET", b"/a/" + text + b"/b") == ("/a/{string}/b", (value,))
    assert tree.find("GET", b"/c/d/" + text) == ("/c/{path}", ("d/" + value.replace("/", "%2F"),))


def test_every_method_and_named_ones() -> None:
    both: Mapping[str, str] = {"GET": "named", "*": "any"}
    tree = RouteTree([([b"/a"], both)])
    assert tree.find("GET", b"/a") == ("named", ())
    assert tree.find("BREW", b"/a") == ("any", ())
    assert tree.methods(b"/a") == ["*", "GET"]
    assert tree.methods(b"/b") == []


def test_an_empty_tree_finds_nothing() -> None:
    assert RouteTree[str]([]).find("GET", b"/") is None


def test_an_error_of_a_converter_that_is_no_value_error_is_raised() -> None:
    def broken(text: str) -> Any:
        raise KeyError(text)

    tree = RouteTree([([b"/", Converter(broken)], {"GET": 1})])
    with pytest.raises(KeyError, match="x"):
        tree.find("GET", b"/x")


def test_a_converter_may_search_the_tree() -> None:
    inner = routes("/{int}")
    tree = RouteTree([([b"/", Converter(lambda text: inner.find("GET", b"/7"))], {"GET": 1})])
    assert tree.find("GET", b"/x") == (1, (("/{int}", (7,)),))


class Answer:
    """A route that a weak reference may observe."""


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_tree_that_is_replaced_while_it_is_searched_lives_until_the_end(method: str) -> None:
    alive: list[bool] = []

    def replace(text: str) -> str:
        table.fill(RouteTree[Any]([]), {}, handler)
        gc.collect()
        alive.append(answer() is not None)
        return text

    handler = Handler(print, RunMode.INLINE)
    table = RouteTable(None, int, str)
    converter = Converter(replace)
    routes = {"GET": Answer()}
    answer = weakref.ref(routes["GET"])
    table.fill(RouteTree([([b"/", converter, b"/", converter], routes)]), {}, handler)
    del routes
    found = table.match(method, b"/a/b")
    assert alive == [True, True]
    assert (found is not None) == (method == "GET")
    del found
    assert answer() is None


def test_the_number_of_parameters_has_a_limit() -> None:
    tree = routes("/" + "/".join(["{string}"] * 32))
    found = tree.find("GET", b"/a" * 32)
    assert found is not None
    assert found[1] == ("a",) * 32
    with pytest.raises(ValueError, match="a path has 33 parameters, expected at most 32"):
        routes("/" + "/".join(["{string}"] * 33))


def test_the_wrong_kind_of_argument_is_a_type_error() -> None:
    tree: Any = routes("/a")
    with pytest.raises(TypeError):
        tree.find("GET", "/a")
    with pytest.raises(TypeError):
        tree.find(None, b"/a")


def test_searching_keeps_no_memory() -> None:
    value = object()
    tree = RouteTree([([b"/", Converter(lambda text: value), b"/x/", KINDS["int"]], {"GET": 1})])
    before = sys.getrefcount(value)
    for _ in range(100):
        assert tree.find("GET", b"/a/x/7") == (1, (value, 7))
        assert tree.find("GET", b"/a/y") is None
        assert tree.find("PUT", b"/a/x/7") is None
        assert tree.methods(b"/a/x/7") == ["GET"]
    assert sys.getrefcount(value) == before
