"""The transports of the web tests, and the lists of tests that do not run with all of them."""

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from atlas import Application, AsyncRequest, ClientDisconnected, Request, Route, StreamingResponse
from tests.web.transports import transport
from tests.web.transports.client import RawRequest

Ask = Callable[..., httpx.Response]
Drive = Callable[..., list[dict[str, Any]]]
HERE = Path(__file__).parent

SKIPPED = {
    "in_process": {"test_malformed_heads"},
    "server_differs": {"test_a_client_that_disconnects_is_not_answered"},
    "known_failure": set(),
}
"""The tests that do not run with every transport; their markers have the reason."""

DIRECT_CALLS = {
    "test_application.py": 4,  # lifespan, handshakes, an unknown type of scope
    "test_events.py": 1,  # an empty chunk, which is not sent over a socket
    "test_files.py": 4,  # pathsend and zerocopysend
    "test_mounts.py": 3,
    "test_response.py": 1,
}
"""The number of tests of each file that call the application directly."""


def functions_of(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node


def marked(name: str) -> set[str]:
    return {
        test.name
        for path in HERE.rglob("test_*.py")
        for test in functions_of(path)
        if any(f"mark.{name}" in ast.unparse(each) for each in test.decorator_list)
    }


@pytest.mark.parametrize("name", SKIPPED)
def test_skipped_combinations_are_listed(name: str) -> None:
    assert marked(name) == SKIPPED[name]


def test_direct_calls_are_listed() -> None:
    called = {}
    for path in HERE.rglob("test_*.py"):
        if count := sum("call" in {each.arg for each in test.args.args} for test in functions_of(path)):
            called[path.name] = count
    assert called == DIRECT_CALLS


def callers() -> Iterator[str]:
    """The modules of all frames of the stack."""
    frame = sys._getframe(1)
    while frame := frame.f_back:  # type: ignore[assignment]
        yield frame.f_globals["__name__"]


def test_each_server_identifies_itself(web_transport: transport.Transport, ask: Ask) -> None:
    async def show(request: AsyncRequest) -> Any:
        return {"scheme": request.scheme, "callers": list(callers())}

    app = Application([Route("/", show)])
    callers_of = {"in-process": "atlas.testing.exchange", "uvicorn": "uvicorn.", "hypercorn": "hypercorn."}
    for url, scheme in (("/", "http"), ("https://site.test/", "https")):
        answer = ask(app, "GET", url).json()
        assert answer["scheme"] == scheme
        for name, module in callers_of.items():
            assert any(each.startswith(module) for each in answer["callers"]) == (name == web_transport.name)


def test_an_application_has_ended_when_it_is_answered(ask: Ask) -> None:
    log: list[str] = []

    async def job() -> None:
        log.append("job")

    def page(request: Request) -> str:
        app.background(job)
        return "page"

    app = Application([Route("/", page)])
    app.on_shutdown(lambda: log.append("shutdown"))
    assert (ask(app, "GET", "/").text, log) == ("page", ["job", "shutdown"])


def test_what_an_application_raises_is_raised_here(ask: Ask, drive: Drive) -> None:
    def pieces() -> Iterator[str]:
        yield "a"
        raise ValueError("on purpose")

    app = Application([Route("/", lambda request: StreamingResponse(pieces()))])
    with pytest.raises(ValueError, match="on purpose"):
        ask(app, "GET", "/")
    with pytest.raises(ValueError, match="on purpose"):
        drive(app)


def test_a_disconnect_raises_nothing(drive: Drive) -> None:
    seen: list[str] = []

    async def page(request: AsyncRequest) -> str:
        try:
            await request.body()
        except ClientDisconnected:
            seen.append("left")
        return "never read"

    app = Application([Route("/", page, ["POST"])])
    drive(app, [{"type": "http.request", "body": b"a", "more_body": True}, {"type": "http.disconnect"}], method="POST")
    assert seen == ["left"]


def test_a_request_in_bytes() -> None:
    assert RawRequest("GET", b"/", []).encoded() == b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
    assert RawRequest("GET", b"/", [], version="1.0").encoded() == b"GET / HTTP/1.0\r\n\r\n"
    chunked = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n"
    assert RawRequest("POST", b"/", [(b"host", b"a")], [b"a", b"", b"bc"]).encoded() == chunked + b"0\r\n\r\n"
    assert RawRequest("POST", b"/", [(b"host", b"a")], [b"a", b"bc"], leaves=True).encoded() == chunked
    announced = [(b"host", b"a"), (b"content-length", b"3")]
    assert RawRequest("POST", b"/", announced, [b"a", b"bc"]).encoded().endswith(b"content-length: 3\r\n\r\nabc")
