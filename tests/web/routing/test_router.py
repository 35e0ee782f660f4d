import threading
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas import StartupError
from atlas.web.controllers import Controller
from atlas.web.routing.converters import Converter
from atlas.web.routing.hosts import host_name
from atlas.web.routing.patterns import Parameter, parse_pattern
from atlas.web.routing.route import Route
from atlas.web.routing.router import NoMatch, Router, matchable_path, with_routed_path


def one(request: Any) -> None: ...


def two(request: Any, first: Any) -> None: ...


def three(request: Any, first: Any, second: Any) -> None: ...


ROUTER = Router(
    [
        Route("/", one, name="home"),
        Route("/users", one, ["GET"], name="users"),
        Route("/users", one, ["POST"], name="create"),
        Route("/users/me", one, name="me"),
        Route("/users/{id:int}", two, name="by id"),
        Route("/users/{name}", two, ["GET", "PUT"], name="by name"),
        Route("/users/{name}/{year:int}", three, name="year"),
        Route("/users/{name}/posts", two, name="posts"),
        Route("/docs/{page:path}", two, name="docs"),
        Route("/docs/index", one, name="index"),
        Route("/folder/", one, name="folder"),
        Route("/städte/köln", one, name="köln"),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "name", "values"),
    [
        ("GET", "/", "home", ()),
        ("GET", "/users", "users", ()),
        ("HEAD", "/users", "users", ()),
        ("POST", "/users", "create", ()),
        ("GET", "/users/me", "me", ()),
        ("GET", "/users/42", "by id", (42,)),
        ("GET", "/users/joe", "by name", ("joe",)),
        ("PUT", "/users/42", "by name", ("42",)),
        ("PUT", "/users/me", "by name", ("me",)),
        ("GET", "/users/joe/2026", "year", ("joe", 2026)),
        ("GET", "/users/me/2026", "year", ("me", 2026)),
        ("GET", "/users/42/posts", "posts", ("42",)),
        ("GET", "/docs/index", "index", ()),
        ("GET", "/docs/index/more", "docs", ("index/more",)),
        ("GET", "/docs/a/b/", "docs", ("a/b/",)),
        ("GET", "/folder/", "folder", ()),
        ("GET", "/städte/köln", "köln", ()),
    ],
)
def test_the_route_of_a_path(method: str, path: str, name: str, values: tuple[Any, ...]) -> None:
    found = ROUTER.match(method, quote(path).encode())
    assert not isinstance(found, NoMatch)
    assert (found[0].name, found[1]) == (name, values)


@pytest.mark.parametrize(
    ("method", "path", "no_match"),
    [
        ("GET", "/nothing", NoMatch()),
        ("GET", "//", NoMatch(other_slash=True)),
        ("GET", "/users//posts", NoMatch()),
        ("GET", "/docs", NoMatch()),
        ("GET", "/docs/", NoMatch()),
        ("GET", "/users/joe/soon", NoMatch()),
        ("GET", "/users/", NoMatch(other_slash=True)),
        ("POST", "/users/me/", NoMatch(other_slash=True)),
        ("GET", "/folder", NoMatch(other_slash=True)),
        ("DELETE", "/users", NoMatch(("GET", "HEAD", "OPTIONS", "POST"))),
        ("DELETE", "/users/7", NoMatch(("GET", "HEAD", "OPTIONS", "PUT"))),
        ("OPTIONS", "/", NoMatch(("GET", "HEAD", "OPTIONS"))),
    ],
)
def test_a_no_match_has_other_methods_and_the_other_slash(method: str, path: str, no_match: NoMatch) -> None:
    assert ROUTER.match(method, path.encode()) == no_match


def test_a_route_for_head_takes_precedence_over_get() -> None:
    for order in (["GET", "HEAD"], ["HEAD", "GET"]):
        router = Router([Route("/", one, [method], name=method) for method in order])
        found = router.match("HEAD", b"/")
        assert not isinstance(found, NoMatch)
        assert found[0].name == "HEAD"


def test_two_kinds_of_one_rank_side_by_side_are_ambiguous() -> None:
    odd, even = Converter(int), Converter(int)
    pattern = parse_pattern("/{a:int}")
    routes = []
    for kind in (odd, even):
        route = Route("/{a:int}", two)
        route.pattern = replace(pattern, segments=("", Parameter("a", kind)))
        routes.append(route)
    with pytest.raises(StartupError, match=r"GET is answered already by .* at .*test_router.py:\d+"):
        Router(routes)
    routes[1].methods = ("POST",)
    assert not isinstance(Router(routes).match("POST", b"/7"), NoMatch)


class Lakes(Controller):
    def get(self, request: Any, name: str) -> str:
        return f"get {name}"

    async def put(self, request: Any, name: str) -> str:
        return f"put {name}"


def test_a_class_of_controllers_answers_its_methods() -> None:
    router = Router([Route("/lakes/{name}", Lakes, name="lake")])
    assert [(each.methods, each.run, each.name) for each in router] == [
        (("GET",), "greenlet", "lake"),
        (("PUT",), "await", "lake"),
    ]
    found = router.match("HEAD", b"/lakes/como")
    assert not isinstance(found, NoMatch)
    assert found[0].controller(None, *found[1]) == "get como"
    assert router.match("POST", b"/lakes/como") == NoMatch(("GET", "HEAD", "OPTIONS", "PUT"))
    assert router.url_for("lake", {"name": "como"}) == "/lakes/como"
    with pytest.raises(StartupError, match="get does not take town of the path; it takes name of the query"):
        Router([Route("/lakes/{town}", Lakes)])
    with pytest.raises(StartupError, match="the class Controller has no method for an HTTP method"):
        Route("/", Controller)


@pytest.mark.parametrize(
    ("field", "name"),
    [("Example.COM:80", "example.com"), ("a.test.", "a.test"), ("[::1]:8000", "[::1]"), ("", "")],
)
def test_the_name_of_a_host(field: str, name: str) -> None:
    assert host_name(field) == name


@pytest.mark.parametrize(("first", "second"), [("/a", "/a"), ("/{a:int}", "/{b:int}"), ("/{a}/x", "/{b:str}/x")])
def test_the_same_pattern_and_method_twice_names_both_lines(first: str, second: str) -> None:
    router = Router([Route(first, lambda *everything: None)])
    with pytest.raises(
        StartupError, match=r"test_router.py:\d+: .*GET is answered already by .* at .*test_router.py:\d+"
    ):
        router.add(Route(second, lambda *everything: None))


def test_the_same_name_twice_names_both_lines() -> None:
    with pytest.raises(StartupError, match=r"the name 'x' is that of '/a' at .*test_router.py:\d+ already"):
        Router([Route("/a", one, name="x"), Route("/b", one, name="x")])


def test_an_explicit_name_takes_precedence_over_the_name_of_a_controller() -> None:
    router = Router([Route("/a", one), Route("/b", one), Route("/c", one, name="one")])
    assert router.url_for("one", {}) == "/c"
    assert Router([Route("/a", one), Route("/b", one)]).url_for("one", {}) == "/a"


@pytest.mark.parametrize(
    ("name", "params", "url"),
    [
        ("home", {}, "/"),
        ("by id", {"id": 7}, "/users/7"),
        ("by name", {"name": "a b/ü?"}, "/users/a%20b%2F%C3%BC%3F"),
        ("docs", {"page": "a b/c"}, "/docs/a%20b/c"),
        ("köln", {}, "/st%C3%A4dte/k%C3%B6ln"),
        ("users", {"page": 2, "tag": ["a", "b"]}, "/users?page=2&tag=a&tag=b"),
    ],
)
def test_urls(name: str, params: dict[str, Any], url: str) -> None:
    assert ROUTER.url_for(name, params) == url


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("by id", {}, "no value for 'id'"),
        ("by id", {"id": "x"}, "'id': expected an int"),
        ("by name", {"name": ""}, "not empty"),
        ("by name", {"name": ".."}, "cannot be '..'"),
    ],
)
def test_urls_with_invalid_parameters(name: str, params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ROUTER.url_for(name, params)


def test_an_unknown_name_suggests_the_close_one() -> None:
    with pytest.raises(LookupError, match="no route is named 'by nam'; did you mean 'by name'"):
        ROUTER.url_for("by nam", {})


@given(st.text(min_size=1).filter(lambda text: text not in (".", "..") and text.isprintable()))
def test_a_value_comes_back_from_its_url(value: str) -> None:
    raw = ROUTER.url_for("posts", {"name": value})
    for path in (raw.encode("ascii"), None):
        matchable, decoded = matchable_path(unquote(raw), path, "")
        found = ROUTER.match("GET", matchable, decoded=decoded)
        if path is not None or "/" not in value:  # a decoded slash cannot be told from a separator
            assert not isinstance(found, NoMatch)
            assert (found[0].name, found[1]) == ("posts", (value,))


@pytest.mark.parametrize(
    ("path", "raw_path", "root_path", "expected"),
    [
        ("/a b", b"/a%20b", "", (b"/a%20b", False)),
        ("/a b", None, "", (b"/a b", True)),
        ("/a/b", b"/a%2Fb", "", (b"/a%2Fb", False)),
        ("/app/x", b"/app/x", "/app", (b"/x", False)),
        ("/app/x", None, "/app", (b"/x", True)),
        ("/ü/x", b"/%C3%BC/x?y", "/ü", (b"/x", False)),
        ("/ü/x", b"/%c3%bc/x", "/ü", (b"/x", False)),
        ("/app/a/b", b"/%61pp/a%2fb", "/app", (b"/a%2fb", False)),
        ("/app/a/b", b"/app%2fa/b", "/app", (b"/a/b", True)),
        ("/a/b/x/y", b"/a%2Fb/x%2Fy", "/a/b", (b"/x/y", True)),
        ("/a/b/x/y", b"/a/b/x%2Fy", "/a/b/", (b"/x%2Fy", False)),
        ("/a/b/x%2Fy", b"/a/b/x%2Fy", "/a/b", (b"/x%2Fy", False)),
        ("/app/%", b"/app/%25", "/app", (b"/%25", False)),
        ("/\ufffd", b"/%FF", "", (b"/%FF", False)),
        ("/changed", b"/a%2Fb", "", (b"/changed", True)),
        ("/changed", b"/asked", "", (b"/changed", True)),
        ("/app", b"/app", "/app", (b"/", False)),
        ("/apple", b"/apple", "/app", (b"/apple", False)),
        ("/x", b"/x", "/app", (b"/x", False)),
        ("/x", None, "/app", (b"/x", True)),
        ("", b"", "", (b"/", False)),
        ("", None, "", (b"/", True)),
        ("/\udcff", None, "", (b"/\xff", True)),
    ],
)
def test_the_path_that_is_matched(path: str, raw_path: bytes | None, root_path: str, expected: Any) -> None:
    assert matchable_path(path, raw_path, root_path) == expected


@pytest.mark.parametrize(
    ("path", "raw_path", "root_path", "routed"),
    [
        ("/a/b", b"/a%2fb", "", "/a%2Fb"),
        ("/a/b", b"/a/b", "", "/a/b"),
        ("/a/b", None, "", "/a/b"),
        ("/a%2fb", b"/a%252fb", "", "/a%2fb"),
        ("/app/a/b", b"/app/a%2Fb", "/app", "/app/a%2Fb"),
        ("/a/b", b"/a%2Fb", "/app", "/a%2Fb"),
        ("/app/a/b", b"/app%2Fa/b", "/app", "/app/a/b"),
        ("/app/a%2Fb", b"/app/a%2Fb", "/app", "/app/a%2Fb"),
        ("/changed", b"/a%2Fb", "", "/changed"),
    ],
)
def test_the_path_of_the_scope_is_the_one_that_is_matched(
    path: str, raw_path: bytes | None, root_path: str, routed: str
) -> None:
    scope = {"type": "http", "path": path, "raw_path": raw_path, "root_path": root_path}
    assert with_routed_path(scope, *matchable_path(path, raw_path, root_path)) == {**scope, "path": routed}
    assert scope["path"] == path


def test_a_tree_is_built_whole_while_another_thread_adds_routes() -> None:
    router = Router([Route("/a", one)])
    added = threading.Event()

    def add() -> None:
        router.add(Route("/b", one, name="b"))
        added.set()

    with router.lock:
        thread = threading.Thread(target=add)
        thread.start()
        assert isinstance(router.match("GET", b"/b"), NoMatch)
    assert added.wait(10)
    thread.join()
    assert not isinstance(router.match("GET", b"/b"), NoMatch)


def test_the_list_of_routes() -> None:
    info = next(iter(ROUTER))
    assert (info.path, info.methods, info.name, info.controller, info.run) == ("/", ("GET",), "home", one, "greenlet")
    assert "test_router.py:" in info.place


@pytest.mark.slow
def test_ten_thousand_routes() -> None:
    router = Router([Route(f"/r{number}/{{a}}", two, name=str(number)) for number in range(10_000)])
    found = router.match("GET", b"/r9999/x")
    assert not isinstance(found, NoMatch)
    assert found[0].name == "9999"
