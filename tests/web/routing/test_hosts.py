from collections.abc import Callable
from typing import Any

import httpx
import pytest

from atlas import Application, AsyncRequest, Host, Include, Mount, Request, Route
from atlas.errors import StartupError
from atlas.web.routing.hosts import parse_host
from atlas.web.routing.router import NoMatch, Router

Ask = Callable[..., httpx.Response]


def show(request: Request, *values: Any) -> Any:
    return {"values": values, "params": request.path_params}


@pytest.mark.parametrize(
    ("pattern", "name", "values"),
    [
        ("{sub}.Example.org", "a.example.org", ("a",)),
        ("{sub}.example.org", "example.org", None),
        ("{sub}.example.org", ".example.org", None),
        ("{sub}.example.org", "b.a.example.org", None),
        ("{sub}.example.org", "a.example.com", None),
        ("{one}.{two}.example.org", "a.b.example.org", ("a", "b")),
        ("{id:int}.example.org", "7.example.org", (7,)),
        ("{id:int}.example.org", "a.example.org", None),
        ("{id:int}-EU.example.org", "7-eu.example.org", (7,)),
        ("{id:int}-eu.example.org", "-eu.example.org", None),
        ("v{id:int}-eu.example.org", "v12-eu.example.org", (12,)),
        ("admin.{domain}", "admin.localhost", ("localhost",)),
        ("ab{x}ba.org", "aba.org", None),
    ],
)
def test_a_pattern_matches_names(pattern: str, name: str, values: Any) -> None:
    _, parsed = parse_host(pattern)
    assert parsed is not None
    assert parsed.match(name) == values


def test_text_is_in_lower_case_and_names_of_parameters_are_not() -> None:
    assert parse_host("API.{Tenant}-EU.Example.org")[0] == "api.{Tenant}-eu.example.org"
    assert parse_host("API.Example.org") == ("api.example.org", None)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{sub}.example.org:80", "a name without port"),
        ("{sub}..org", "a name without port"),
        ("*.{sub}.org", "a name without port"),
        ("{sub.example.org", "a name without port"),
        ("{a}{b}.org", "at most one parameter"),
        ("{a}.{a}.org", "two parameters have the same name"),
        ("{a:path}.org", "is one label, or a part of one"),
        ("{a:itn}.org", "no converter 'itn'; did you mean 'int'"),
        ("{a-b}.org", "no name for a parameter"),
    ],
)
def test_patterns_that_are_refused(pattern: str, message: str) -> None:
    with pytest.raises(StartupError, match=rf"test_hosts\.py:\d+: host .*{message}"):
        Host(pattern, [])


HOSTS = {
    "*.shop.test": ["x.y.shop.test"],
    "www.shop.test": ["www.shop.test", "WWW.shop.test:8000", "www.shop.test."],
    "{sub}.shop.test": ["other.shop.test"],
    "{number:int}.shop.test": ["12.shop.test"],
    "{number:int}-eu.shop.test": ["12-eu.shop.test"],
    "api.{domain}.test": ["api.other.test"],
    "{one}.{two}.test": ["a.b.test"],
    "": ["shop.test", "a.b.c.test", ""],
}


@pytest.mark.parametrize("turned", [False, True])
def test_the_precedence_of_hosts(turned: bool) -> None:
    entries = [Host(host, [Route("/", show, name=host)]) if host else Route("/", show, name="") for host in HOSTS]
    router = Router(entries[::-1] if turned else entries)
    for host, names in HOSTS.items():
        for name in names:
            found = router.match("GET", b"/", host=name)
            assert not isinstance(found, NoMatch)
            assert found[0].name == host, name


def test_the_controller_gets_the_parameters_of_the_host_first(ask: Ask) -> None:
    async def show_async(request: AsyncRequest, tenant: str, number: int, name: str) -> Any:
        return [tenant, number, name, request.path_params]

    def guard(request: Request, call_next: Any) -> Any:
        response = call_next(request)
        response.headers["x-tenant"] = request.path_params["tenant"]
        return response

    app = Application(
        [
            Host("{tenant}.test", [Include("/{number:int}", [Route("/{name}", show_async)], middleware=[guard])]),
            Route("/shared/{name}", show),
        ]
    )
    answer = ask(app, "GET", "/7/x", headers={"host": "acme.test"})
    assert answer.json() == ["acme", 7, "x", {"tenant": "acme", "number": 7, "name": "x"}]
    assert answer.headers["x-tenant"] == "acme"
    assert ask(app, "GET", "/7/x", headers={"host": "other"}).status_code == 404
    for host in ("acme.test", "other"):
        answer = ask(app, "GET", "/shared/x", headers={"host": host})
        assert answer.json() == {"values": ["x"], "params": {"name": "x"}}


def test_a_mount_of_a_host_with_parameters(ask: Ask) -> None:
    async def theirs(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["root_path"].encode()})

    app = Application([Host("{tenant}.test", [Mount("/old", theirs)])])
    assert ask(app, "GET", "/old/x", headers={"host": "acme.test"}).text == "/old"


def test_a_controller_has_to_take_the_parameters() -> None:
    def only_the_path(request: Request, name: str) -> None: ...

    with pytest.raises(StartupError, match=r"only_the_path does not take tenant of the path"):
        Application([Host("{tenant}.test", [Route("/{name}", only_the_path)])])


def test_names_of_host_and_path_differ() -> None:
    with pytest.raises(StartupError, match=r"a parameter of the path has the name of one of the host '\{name\}\.test'"):
        Application([Host("{name}.test", [Route("/{name}", show)])])


def test_two_patterns_for_the_same_names() -> None:
    message = r"host '\{b\}\.test' matches the same names as '\{a\}\.test' at .*test_hosts\.py:\d+"
    with pytest.raises(StartupError, match=message):
        Application([Host("{a}.test", [Route("/", show)]), Host("{b}.test", [Route("/x", show)])])
    Application([Host("{a}.test", [Route("/", show)]), Host("{a}.test", [Route("/x", show)])])
    Application([Host("{a}.test", [Route("/", show)]), Host("{b:int}.test", [Route("/", show)])])


def test_urls_of_routes_of_a_host() -> None:
    app = Application([Host("{number:int}-eu.{tenant}.test", [Route("/{name}", show, name="page")])])
    assert app.url_for("page", number=7, tenant="Acme", name="a b", q=1) == "//7-eu.acme.test/a%20b?q=1"
    for params, message in [
        ({"tenant": "a"}, "host .*: no value for 'number'"),
        ({"tenant": "a", "number": "x"}, "'number': expected an int"),
        ({"tenant": "a.b", "number": 1}, "'tenant' cannot be 'a.b' in a host name"),
        ({"tenant": "a/b", "number": 1}, "'tenant' cannot be 'a/b' in a host name"),
        ({"tenant": "", "number": 1}, "'tenant': expected a text that is not empty"),
    ]:
        with pytest.raises(ValueError, match=message):
            app.url_for("page", name="x", **params)


def test_urls_within_a_request(ask: Ask) -> None:
    def urls(request: Request, tenant: str) -> Any:
        page = request.url_for
        return [
            page("home"),
            page("home", tenant=tenant),
            page("home", absolute=True),
            page("home", tenant="other", q=1),
            page("home", absolute=True, tenant="other"),
            page("plain"),
        ]

    app = Application(
        [
            Host("{tenant}.test", [Route("/", urls, name="home")]),
            Route("/", lambda request: request.url_for("home", tenant="acme"), name="plain"),
            Route("/missing", lambda request: request.url_for("home"), name="missing"),
        ]
    )
    urls_of_acme = ask(app, "GET", "/", headers={"host": "Acme.test:8000"}).json()
    assert urls_of_acme == [
        "/",
        "/",
        "http://Acme.test:8000/",
        "//other.test:8000/?q=1",
        "http://other.test:8000/",
        "/",
    ]
    assert ask(app, "GET", "/", headers={"host": "site"}).text == "//acme.test/"
    assert ask(app, "GET", "/missing", headers={"host": "site"}).status_code == 500
