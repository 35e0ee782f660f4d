"""The native gateway at real sockets: what only it does, beside all that the tests of the web half ask in every way."""

import asyncio
import socket
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from atlas import Application, HTTPException, Route, Server, StreamingResponse, TextResponse, await_
from atlas.gateway.native import NativeGateway, is_native

VARIABLE: ContextVar[str] = ContextVar("variable", default="fresh")


class Watched:
    """What a controller that waits has come to; known in the test's thread."""

    def __init__(self) -> None:
        import threading

        self.entered, self.ended = threading.Event(), threading.Event()
        self.end = ""
        self.go: asyncio.Event | None = None

    async def wait(self) -> str:
        self.go = asyncio.Event()
        self.entered.set()
        try:
            await self.go.wait()
            self.end = "finished"
        except asyncio.CancelledError:
            self.end = "cancelled"
            raise
        finally:
            self.ended.set()
        return "waited"


def connect(server: Server, head: str) -> socket.socket:
    peer = socket.create_connection(server.sockets[0].getsockname(), timeout=5)
    peer.sendall(f"{head} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return peer


def whole(peer: socket.socket) -> bytes:
    data = b""
    while piece := peer.recv(65536):
        data += piece
    return data


def ask(server: Server, head: str) -> tuple[bytes, bytes]:
    """Head and body of the answer to a request that is the last of its connection."""
    with socket.create_connection(server.sockets[0].getsockname(), timeout=5) as peer:
        peer.sendall(f"{head} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        start, _, body = whole(peer).partition(b"\r\n\r\n")
        return start, body


@pytest.fixture(params=["uvloop", "asyncio"])
def serve(request: pytest.FixtureRequest) -> Iterator[Any]:
    stack: list[Any] = []

    def start(app: Any, **settings: Any) -> Server:
        running = Server(app, port=0, loop=request.param, access_log=False, **settings).run_in_thread()
        stack.append(running)
        server: Server = running.__enter__()
        return server

    yield start
    for each in reversed(stack):
        each.__exit__(None, None, None)


def test_only_an_atlas_application_is_called_natively() -> None:
    class Own(Application):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await super().__call__(scope, receive, send)

    async def asgi_app(scope: Any, receive: Any, send: Any) -> None: ...

    assert is_native(Application())
    assert not is_native(Own()), "an overridden __call__ is called"
    assert not is_native(asgi_app)


@pytest.mark.parametrize("kind", ["inline", "greenlet", "async"])
def test_a_scope_is_not_created_unless_it_is_used(serve: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def look(request: Any) -> TextResponse:
        seen.append(request)
        return TextResponse(f"{request.method} {request.path} {request.query['a']} {request.headers['host']}")

    async def look_later(request: Any) -> TextResponse:
        return look(request)

    route = Route("/x", look_later) if kind == "async" else Route("/x", look, run=kind)  # type: ignore[arg-type]
    server = serve(Application([route]))
    assert ask(server, "GET /x?a=1")[1] == b"GET /x 1 a"
    (request,) = seen
    assert "path" not in request._notes, "it was not made"
    assert request.scope["path"] == "/x"
    assert request.scope["client"][0] == "127.0.0.1", "it is known after the connection was closed"
    assert request.scope is request.scope
    assert request._notes is request.scope


@pytest.mark.parametrize("kind", ["inline", "greenlet", "async"])
def test_each_request_has_a_context_of_its_own(serve: Any, kind: str) -> None:
    def mark(request: Any) -> str:
        before = VARIABLE.get()
        VARIABLE.set("used")
        return before

    async def mark_later(request: Any) -> str:
        return mark(request)

    route = Route("/", mark_later) if kind == "async" else Route("/", mark, run=kind)  # type: ignore[arg-type]
    server = serve(Application([route]))
    assert [ask(server, "GET /")[1] for _ in range(3)] == [b"fresh"] * 3


@pytest.mark.parametrize("sync", [True, False])
@pytest.mark.parametrize(
    ("method", "cancel", "end"),
    [
        ("GET", None, "cancelled"),
        ("HEAD", None, "cancelled"),
        ("POST", None, "finished"),
        ("POST", True, "cancelled"),
        ("GET", False, "finished"),
    ],
)
@pytest.mark.parametrize("how", ["reset", "close"])
def test_a_client_that_disconnects_cancels_the_request(
    serve: Any, method: str, cancel: Any, end: str, sync: bool, how: str
) -> None:
    watched = Watched()

    def wait(request: Any) -> str:
        return await_(watched.wait())

    async def wait_later(request: Any) -> str:
        return await watched.wait()

    app = Application([Route("/", wait if sync else wait_later, [method.replace("HEAD", "GET")], cancel=cancel)])
    server = serve(app)
    peer = connect(server, f"{method} /")
    assert watched.entered.wait(5)
    if how == "reset":
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()
    if how == "close" and cancel is None:
        end = "finished"  # a half-close is no disconnect
    if end == "finished":
        assert server._loop is not None
        assert watched.go is not None
        assert ask(server, "GET /nothing")[0].startswith(b"HTTP/1.1 404"), "a turn of the loop later it still waits"
        server._loop.call_soon_threadsafe(watched.go.set)
    assert watched.ended.wait(5)
    assert watched.end == end


@pytest.mark.parametrize("cancel", [None, False, True])
def test_a_client_that_half_closes_is_answered(serve: Any, cancel: bool | None) -> None:
    watched = Watched()

    async def wait(request: Any) -> str:
        return await watched.wait()

    server = serve(Application([Route("/", wait, cancel=cancel)]))
    with connect(server, "GET /") as peer:
        assert watched.entered.wait(5)
        peer.shutdown(socket.SHUT_WR)
        if cancel:
            assert peer.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n", "the server asks whether the client still reads"
        assert server._loop is not None
        assert watched.go is not None
        server._loop.call_soon_threadsafe(watched.go.set)
        answer = whole(peer)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), "a health check takes an interim response for the answer"
        assert answer.endswith(b"\r\n\r\nwaited")


def test_a_stream_whose_client_disconnects_is_ended(serve: Any) -> None:
    watched = Watched()

    async def pieces() -> Any:
        yield "first"
        yield await watched.wait()

    server = serve(Application([Route("/", lambda request: StreamingResponse(pieces()), ["POST"])]))
    peer = connect(server, "POST /")
    assert watched.entered.wait(5)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()
    assert watched.ended.wait(5)
    assert watched.end == "cancelled"


def test_a_response_that_never_changes_is_sent_again_and_again(serve: Any) -> None:
    page = TextResponse("page", headers={"x-a": "1"})
    app = Application([Route("/", lambda request: page), Route("/other", lambda request: page)])
    server = serve(app, date_header=False)
    first = ask(server, "GET /")
    assert [ask(server, "GET /") for _ in range(3)] == [first] * 3
    head = ask(server, "HEAD /")
    assert head == (first[0], b"")
    page.headers["x-a"] = "2"
    assert b"x-a: 2" in ask(server, "GET /")[0]
    page.body = b"another"
    start, body = ask(server, "GET /other")
    assert (b"content-length: 7" in start, body) == (True, b"another")
    page.status_code = 404
    assert ask(server, "GET /")[0].startswith(b"HTTP/1.1 404 Not Found\r\n")


def test_fields_that_other_code_holds_may_change_at_any_time(serve: Any) -> None:
    page = TextResponse("page")
    fields = page.headers
    server = serve(Application([Route("/", lambda request: page)]))
    for number in range(4):
        fields["x-n"] = str(number)
        assert f"x-n: {number}".encode() in ask(server, "GET /")[0]


@pytest.mark.parametrize("kind", ["inline", "greenlet", "async"])
@pytest.mark.parametrize("field", [(b"x", b"a\r\nb: c"), (b"x y", b"1"), ("x", "1")])
def test_a_response_that_breaks_the_rules_does_not_leave(serve: Any, kind: str, field: Any, caplog: Any) -> None:
    def bad(request: Any) -> TextResponse:
        response = TextResponse("x")
        response.raw_headers.append(field)
        return response

    async def bad_later(request: Any) -> TextResponse:
        return bad(request)

    route = Route("/", bad_later) if kind == "async" else Route("/", bad, run=kind)  # type: ignore[arg-type]
    server = serve(Application([route]))
    start, body = ask(server, "GET /")
    assert (start[:12], body) == (b"HTTP/1.1 500", b"Internal Server Error\n")
    assert "exception in the application" in caplog.text


@pytest.mark.parametrize("waits", [True, False])
def test_an_exception_handler_of_either_kind(serve: Any, waits: bool) -> None:
    def fail(request: Any) -> None:
        raise HTTPException(418)

    async def fail_later(request: Any) -> None:
        await asyncio.sleep(0)
        raise HTTPException(418)

    def handle(request: Any, error: Any) -> Any:
        return f"{VARIABLE.get()} {error.status_code}", 418

    async def handle_later(request: Any, error: Any) -> Any:
        await asyncio.sleep(0)
        return handle(request, error)

    app = Application(
        [Route("/", fail), Route("/later", fail_later), Route("/inline", fail, run="inline", name="inline")],
        exception_handlers={418: handle_later if waits else handle},
    )
    server = serve(app)
    for path in ("/", "/later", "/inline"):
        start, body = ask(server, f"GET {path}")
        assert (start[:12], body) == (b"HTTP/1.1 418", b"fresh 418")


def test_hundreds_wait_at_once_in_sync_code(serve: Any) -> None:
    waiting = 0
    gate: asyncio.Event | None = None

    async def meet() -> int:
        nonlocal waiting, gate
        gate = gate or asyncio.Event()
        waiting += 1
        if waiting == 300:
            gate.set()
        await gate.wait()
        return waiting

    server = serve(Application([Route("/", lambda request: str(await_(meet())))]))
    peers = [connect(server, "GET /") for _ in range(300)]
    for peer in peers:
        assert peer.recv(4096).endswith(b"\r\n\r\n300")
        peer.close()


def test_a_route_added_later_is_found(serve: Any) -> None:
    app = Application()
    server = serve(app)
    assert ask(server, "GET /late")[0].startswith(b"HTTP/1.1 404")
    app.get("/late")(lambda request: "here")
    assert ask(server, "GET /late")[1] == b"here"


def test_background_tasks_start_after_the_response(serve: Any) -> None:
    import threading

    done = threading.Event()
    app = Application()

    @app.get("/")
    def controller(request: Any) -> str:
        app.background(done.set)
        return "x"

    assert ask(serve(app), "GET /")[1] == b"x"
    assert done.wait(5)


@pytest.mark.parametrize("kind", ["inline", "greenlet", "async", "waits"])
def test_background_tasks_run_in_the_context_of_their_request(serve: Any, kind: str) -> None:
    import threading

    done, seen = threading.Event(), []
    app = Application()

    def note() -> None:
        seen.append(VARIABLE.get())
        done.set()

    def controller(request: Any) -> str:
        VARIABLE.set("of the request")
        app.background(note)
        return "x"

    async def later(request: Any) -> str:
        if kind == "waits":
            await asyncio.sleep(0)
        return controller(request)

    sync = kind in ("inline", "greenlet")
    app.router.add(Route("/", controller, run=kind) if sync else Route("/", later))  # type: ignore[arg-type]
    assert ask(serve(app), "GET /")[1] == b"x"
    assert done.wait(5)
    assert seen == ["of the request"]


def test_a_replaced_call_method_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    async def patched(self: Any, scope: Any, receive: Any, send: Any) -> None: ...

    monkeypatch.setattr(Application, "__call__", patched)
    assert not is_native(Application())


def test_a_pipelined_request_of_a_disconnected_client_is_cancelled(serve: Any) -> None:
    first, second = Watched(), Watched()

    async def post(request: Any) -> str:
        return await first.wait()

    async def get(request: Any) -> str:
        return await second.wait()

    server = serve(Application([Route("/", post, ["POST"]), Route("/get", get, cancel=True)]))
    peer = connect(server, "POST /")
    peer.sendall(b"GET /get HTTP/1.1\r\nHost: a\r\n\r\n")
    assert first.entered.wait(5)
    peer.close()
    assert server._loop is not None
    assert first.go is not None
    server._loop.call_soon_threadsafe(first.go.set)
    assert second.entered.wait(5)
    assert second.ended.wait(5)
    assert (first.end, second.end) == ("finished", "cancelled")


def test_the_access_log_has_the_fields_that_were_sent(serve: Any, capfd: Any) -> None:
    page = TextResponse("page")

    def controller(request: Any) -> TextResponse:
        page.headers["x-n"] = request.query["n"]
        return page

    running = Server(
        Application([Route("/", controller)]),
        port=0,
        access_log_format="%({content-length}o)s %({x-n}o)s",
    ).run_in_thread()
    with running as server:
        ask(server, "GET /?n=1")
        ask(server, "GET /?n=2")
    assert [line for line in capfd.readouterr().out.splitlines() if line.startswith("4 ")] == ["4 1", "4 2"]


class Own(TextResponse):
    """A response with a body of its own making."""

    @property
    def body(self) -> bytes:  # type: ignore[override]
        return b"own"

    @body.setter
    def body(self, body: bytes) -> None:
        pass


def test_a_class_that_has_its_own_body_is_asked_for_it(serve: Any) -> None:
    server = serve(Application([Route("/", lambda request: Own("x"))]))
    assert ask(server, "GET /")[1] == b"own"


def test_it_is_made_for_one_loop() -> None:
    async def make() -> NativeGateway:
        return NativeGateway(Application(), asyncio.get_running_loop())

    gateway = asyncio.run(make())
    assert gateway.tasks == set()
    gateway.close()
