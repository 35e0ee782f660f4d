from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas import Application, Request, Route, StartupError
from atlas.web.middleware.trusted_hosts import TrustedHosts, host_name

Ask = Callable[..., httpx.Response]
Drive = Callable[..., list[dict[str, Any]]]


def page(request: Request) -> str:
    return "page"


def status_for(drive: Drive, middleware: TrustedHosts, host: bytes | None) -> int:
    app = Application([Route("/", page)], middleware=[middleware])
    headers = [] if host is None else [(b"host", host)]
    return int(drive(app, headers=headers, scheme="http")[0]["status"])


@pytest.mark.parametrize(
    "host",
    [
        b"example.com",
        b"EXAMPLE.com",
        b"example.com:8000",
        b"example.com.",
        b"a.example.org",
        b"a.b.example.org",
        b"[::1]:80",
    ],
)
def test_hosts_on_the_list(drive: Drive, host: bytes) -> None:
    assert status_for(drive, TrustedHosts(["Example.com", "*.example.org", "[::1]"]), host) == 200


@pytest.mark.parametrize(
    "host",
    [
        None,
        b"",
        b"evil.test",
        b"example.com.evil.test",
        b"evilexample.org",
        b"example.org",
        b".example.org",
        b"example.com/@evil.test",
        b"example.com:80:80",
        b"example.com:x",
        b"user@example.com",
        b"example.com\xe9",
        b"[::2]",
    ],
)
def test_all_others_are_refused(drive: Drive, host: bytes | None) -> None:
    assert status_for(drive, TrustedHosts(["example.com", "*.example.org", "[::1]"]), host) == 400


def test_any_host_has_to_be_well_formed(drive: Drive) -> None:
    assert status_for(drive, TrustedHosts(["*"]), b"whatever.test") == 200
    assert status_for(drive, TrustedHosts(["*"]), b"what ever") == 400


def test_the_response_does_not_contain_the_host(ask: Ask) -> None:
    app = Application([Route("/", page)], middleware=[TrustedHosts(["example.com"])])
    response = ask(app, "GET", "/", headers={"host": "evil.test"})
    assert response.status_code == 400
    assert "evil.test" not in response.text


@pytest.mark.parametrize("host", ["example.com:80", "https://example.com", "*.*.com", "a*.example.com", "", "."])
def test_malformed_hosts(host: str) -> None:
    with pytest.raises(ValueError, match="TrustedHosts: expected a name"):
        TrustedHosts([host])


def test_a_string_is_refused() -> None:
    with pytest.raises(TypeError, match=r"TrustedHosts: hosts: expected a list, such as \['example.com'\]"):
        TrustedHosts("example.com")


def test_the_hosts_of_the_configuration(drive: Drive) -> None:
    config = {"allowed_hosts": ["example.com"]}
    app = Application([Route("/", page)], middleware=[TrustedHosts()], config=config)
    for host, status in ((b"example.com", 200), (b"evil.test", 400)):
        assert drive(app, headers=[(b"host", host)])[0]["status"] == status


@pytest.mark.parametrize("hosts", [None, [], ["a b"], ["*.*.test"]])
def test_an_application_without_a_list_does_not_start(hosts: Any) -> None:
    app = Application([Route("/", page)], config={"allowed_hosts": hosts})
    with pytest.raises(StartupError, match=r"test_trusted_hosts.py:\d+: TrustedHosts"):
        TrustedHosts().bind(app)


@given(st.text(st.characters(max_codepoint=255)))
def test_arbitrary_text_is_a_host_or_none(host: str) -> None:
    name = host_name(host)
    assert name is None or not set(name) & set('/@?#\\ \r\n\t"<>')


def test_host_names() -> None:
    assert host_name("A.example:80") == "a.example"
    assert host_name("a..example/") is None


def test_exempt_paths_are_answered_for_any_host(drive: Callable[..., list[dict[str, Any]]]) -> None:
    app = Application(
        [Route("/{name:path}", lambda request, name: name)],
        middleware=[TrustedHosts(["site.test"], exempt=["/health", "/probes/"])],
    )
    for path, root_path, status in (
        ("/health", "", 200),
        ("/probes/live", "", 200),
        ("/shop/health", "/shop", 200),
        ("/health/x", "", 400),
        ("/", "", 400),
    ):
        fields = [(b"host", b"10.0.0.1:8000")]
        assert drive(app, path=path, root_path=root_path, headers=fields)[0]["status"] == status, path
    with pytest.raises(ValueError, match="TrustedHosts: exempt"):
        TrustedHosts(["site.test"], exempt=["health"])
