"""Text beside parameters in a segment, and behind a parameter that takes several segments."""

from datetime import date
from typing import Any

import pytest

from atlas import Route, StartupError
from atlas.web.routing.router import NoMatch, Router

PATTERNS = (
    "/page/{name}.md",
    "/page/{name}",
    "/files/{name}.{ext}",
    "/files/{name}.tar.gz",
    "/files/{name}",
    "/files/{number:int}.{ext}",
    "/v{version:int}/x",
    "/v{version:int}",
    "/log/{title}-{day:date}.{kind}",
    "/{path:path}/edit",
    "/{path:path}/rev/{number:int}",
    "/{path:path}",
)


def answer(request: Any, *values: Any) -> None: ...


ROUTER = Router([Route(pattern, answer, name=pattern) for pattern in PATTERNS])


@pytest.mark.parametrize(
    ("path", "pattern", "values"),
    [
        ("/page/a.md", "/page/{name}.md", ("a",)),
        ("/page/a.md.md", "/page/{name}.md", ("a.md",)),
        ("/page/.md", "/page/{name}", (".md",)),
        ("/page/a.m", "/page/{name}", ("a.m",)),
        ("/files/a.tar.gz", "/files/{name}.tar.gz", ("a",)),
        ("/files/a.b.c", "/files/{name}.{ext}", ("a.b", "c")),
        ("/files/a%2Fb%2Ec", "/files/{name}.{ext}", ("a/b", "c")),
        ("/files/%C3%BC.c", "/files/{name}.{ext}", ("\u00fc", "c")),
        ("/files/a.", "/files/{name}", ("a.",)),
        ("/v12/x", "/v{version:int}/x", (12,)),
        ("/v12", "/v{version:int}", (12,)),
        ("/v/x", "/{path:path}", ("v/x",)),
        ("/log/a-b-2026-01-02.txt", "/log/{title}-{day:date}.{kind}", ("a-b", date(2026, 1, 2), "txt")),
        ("/log/a-2026-13-02.txt", "/{path:path}", ("log/a-2026-13-02.txt",)),
        ("/a/edit", "/{path:path}/edit", ("a",)),
        ("/a/b/edit/edit", "/{path:path}/edit", ("a/b/edit",)),
        ("/a%2Fb/edit", "/{path:path}/edit", ("a%2Fb",)),
        ("/a%2Fedit", "/{path:path}", ("a%2Fedit",)),
        ("/edit", "/{path:path}", ("edit",)),
        ("/a/b/rev/7", "/{path:path}/rev/{number:int}", ("a/b", 7)),
        ("/a/rev/x", "/{path:path}", ("a/rev/x",)),
    ],
)
def test_paths(path: str, pattern: str, values: tuple[Any, ...]) -> None:
    found = ROUTER.match("GET", path.encode())
    assert not isinstance(found, NoMatch)
    assert (found[0].path, found[1]) == (pattern, values)


@pytest.mark.parametrize(
    ("pattern", "values", "path"),
    [
        ("/page/{name}.md", {"name": "a b"}, "/page/a%20b.md"),
        ("/files/{name}.{ext}", {"name": "a/b", "ext": "c"}, "/files/a%2Fb.c"),
        ("/v{version:int}/x", {"version": 3}, "/v3/x"),
        ("/{path:path}/rev/{number:int}", {"path": "a/b", "number": 7}, "/a/b/rev/7"),
    ],
)
def test_urls(pattern: str, values: dict[str, Any], path: str) -> None:
    assert ROUTER.url_for(pattern, values) == path
    found = ROUTER.match("GET", path.encode())
    assert not isinstance(found, NoMatch)
    assert (found[0].path, found[1]) == (pattern, tuple(values.values()))


def test_a_url_has_no_dot_segment() -> None:
    with pytest.raises(ValueError, match="cannot be 'a/../b' in a path"):
        ROUTER.url_for("/{path:path}/edit", {"path": "a/../b"})


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("/{a}{b}", "text is missing between the parameters 'a' and 'b'"),
        ("/{a}-{b}-{c}-{d}-{e}", "a segment has at most 4 parameters, got 5"),
        ("/{a:path}/{b:path}", "only one parameter takes several segments"),
        ("/{a:path}/{b}-{c}", "has at most one parameter"),
        ("/{a:path}-{b}", "is the only one of its segment"),
        ("/{a}.{a}", "two parameters have the same name"),
        ("/{a", "a brace without its other one"),
        ("/a}.{b}", "a brace without its other one"),
    ],
)
def test_patterns_that_cannot_be_matched(pattern: str, message: str) -> None:
    with pytest.raises(StartupError, match=message):
        Route(pattern, answer)


def test_the_same_pattern_twice_is_an_error() -> None:
    with pytest.raises(StartupError, match="GET is answered already by '/{a}.{b}'"):
        Router([Route("/{a}.{b}", answer, name="a"), Route("/{c}.{d}", answer, name="b")])
    other = Router([Route("/{a}.x", answer, name="a"), Route("/{a}.y", answer, name="b")])
    assert [other.match("GET", path)[0].name for path in (b"/1.x", b"/1.y")] == ["a", "b"]  # type: ignore[index]


@pytest.mark.parametrize("path", [b"/" + b"a-" * 4000, b"/" + b"/" * 4000, b"/" + b"a/" * 4000 + b"x"])
def test_a_path_that_is_too_long_to_be_split_in_all_ways_is_not_found(path: bytes) -> None:
    router = Router([Route("/{a}-{b}-{c}-{d}.x", answer, name="a"), Route("/{a:path}/b/{c}/d/{e}x", answer, name="b")])
    assert isinstance(router.match("GET", path), NoMatch)
