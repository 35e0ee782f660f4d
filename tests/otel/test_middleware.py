"""Spans of requests: their parents, their errors, and that they are current in the controller."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import atlas
from atlas.otel import OpenTelemetry
from atlas.testing import TestClient

PATIENCE = 30.0
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter: InMemorySpanExporter) -> TracerProvider:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


def current() -> str:
    return format(trace.get_current_span().get_span_context().span_id, "016x")


def in_greenlet(request: atlas.Request) -> str:
    before = current()
    atlas.await_(asyncio.sleep(0))
    assert current() == before
    return before


async def in_task(request: atlas.AsyncRequest) -> str:
    before = current()
    await asyncio.sleep(0)
    assert current() == before
    return before


def in_place(request: atlas.Request) -> str:
    return current()


async def fail(request: atlas.AsyncRequest) -> None:
    raise LookupError("wrong")


def refuse(request: atlas.Request) -> None:
    raise atlas.HTTPException(503)


def missing(request: atlas.Request) -> None:
    raise atlas.NotFound


async def chunks(request: atlas.AsyncRequest) -> AsyncIterator[str]:
    yield current()


async def stream(request: atlas.AsyncRequest) -> atlas.StreamingResponse:
    return atlas.StreamingResponse(chunks(request))


def make_app(provider: TracerProvider) -> atlas.Application:
    routes = [
        atlas.Route("/greenlet/{name}", lambda request, name: in_greenlet(request)),
        atlas.Route("/task/{name}", lambda request, name: in_task(request)),
        atlas.Route("/task", in_task),
        atlas.Route("/inline", in_place, run="inline"),
        atlas.Route("/thread", in_place, run="thread"),
        atlas.Route("/fail", fail),
        atlas.Route("/refuse", refuse),
        atlas.Route("/missing", missing),
        atlas.Route("/stream", stream),
        atlas.Route("/health", lambda request: "ok"),
    ]
    return atlas.Application(routes, middleware=[OpenTelemetry(provider, exclude=["/health"])])


@pytest.fixture(params=["native", "asgi", "client"])
def ask(request: pytest.FixtureRequest, provider: TracerProvider) -> Iterator[Any]:
    """Send a request to the application, on its own server (natively and by ASGI) or by the test client."""
    app = make_app(provider)
    if request.param == "client":
        with TestClient(app, raise_server_exceptions=False) as client:
            yield lambda path, **fields: client.get(path, headers=fields).text
        return
    interface = "auto" if request.param == "native" else "asgi"
    with atlas.Server(app, port=0, interface=interface, access_log=False).run_in_thread() as server:
        port = server.sockets[0].getsockname()[1]

        def send(path: str, **fields: str) -> str:
            with closing(socket.create_connection(("127.0.0.1", port), PATIENCE)) as sock:
                lines = [f"GET {path} HTTP/1.0", "host: a.test", *(f"{k}: {v}" for k, v in fields.items()), "", ""]
                sock.sendall("\r\n".join(lines).encode())
                return sock.makefile("rb").read().decode().partition("\r\n\r\n")[2]

        yield send


def only(exporter: InMemorySpanExporter) -> ReadableSpan:
    (span,) = exporter.get_finished_spans()
    return span


@pytest.mark.parametrize("path", ["/greenlet/a", "/task", "/inline", "/thread"])
def test_the_span_is_current_in_the_controller(ask: Any, exporter: InMemorySpanExporter, path: str) -> None:
    body = ask(path)
    span = only(exporter)
    assert span.context is not None
    assert span.attributes is not None
    assert body == format(span.context.span_id, "016x")
    assert span.name == "GET " + path.replace("/a", "/{name}")
    assert span.kind is SpanKind.SERVER
    assert span.attributes["http.response.status_code"] == 200
    assert span.attributes["http.route"] == path.replace("/a", "/{name}")
    assert span.status.status_code is StatusCode.UNSET
    assert span.parent is None


def test_the_parent_is_that_of_traceparent(ask: Any, exporter: InMemorySpanExporter) -> None:
    ask("/task", traceparent=PARENT)
    span = only(exporter)
    assert span.context is not None
    assert span.parent is not None
    assert format(span.context.trace_id, "032x") == PARENT[3:35]
    assert format(span.parent.span_id, "016x") == PARENT[36:52]


def test_an_exception_is_recorded(ask: Any, exporter: InMemorySpanExporter) -> None:
    ask("/fail")
    span = only(exporter)
    assert span.attributes is not None
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["http.response.status_code"] == 500
    assert span.attributes["error.type"] == "LookupError"
    (event,) = span.events
    assert event.attributes is not None
    assert event.attributes["exception.message"] == "wrong"


def test_a_response_that_is_an_error(ask: Any, exporter: InMemorySpanExporter) -> None:
    ask("/refuse")
    span = only(exporter)
    assert span.attributes is not None
    assert span.attributes["error.type"] == "503"
    assert span.status.status_code is StatusCode.ERROR


@pytest.mark.parametrize("path", ["/missing", "/none"])
def test_a_mistake_of_the_client_is_no_error(ask: Any, exporter: InMemorySpanExporter, path: str) -> None:
    ask(path)
    span = only(exporter)
    assert span.attributes is not None
    assert span.attributes["http.response.status_code"] == 404
    assert "error.type" not in span.attributes
    assert span.status.status_code is StatusCode.UNSET
    assert span.name == ("GET /missing" if path == "/missing" else "GET")


def test_a_stream_ends_its_span(ask: Any, exporter: InMemorySpanExporter) -> None:
    body = ask("/stream")
    span = only(exporter)
    assert span.context is not None
    assert body == format(span.context.span_id, "016x")


def test_a_path_without_a_span(ask: Any, exporter: InMemorySpanExporter) -> None:
    ask("/health")
    assert exporter.get_finished_spans() == ()


def test_after_a_request_no_span_is_current(ask: Any) -> None:
    ask("/task")
    assert current() == "0" * 16


def test_a_client_that_disconnects_ends_the_span(exporter: InMemorySpanExporter, provider: TracerProvider) -> None:
    began = asyncio.Event()

    async def wait(request: atlas.AsyncRequest) -> None:
        began.set()
        await asyncio.sleep(PATIENCE)

    app = atlas.Application([atlas.Route("/", wait)], middleware=[OpenTelemetry(provider)])

    async def main() -> None:
        server = atlas.Server(app, port=0, access_log=False)
        task = asyncio.ensure_future(server.serve())
        await server.wait_started()
        with socket.create_connection(server.sockets[0].getsockname()[:2]) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            await began.wait()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing sends a reset
        while not exporter.get_finished_spans():
            await asyncio.sleep(0.01)
        server.stop()
        await task

    asyncio.run(asyncio.wait_for(main(), PATIENCE))
    span = only(exporter)
    assert span.attributes is not None
    assert span.attributes["error.type"] == "asyncio.exceptions.CancelledError"


def test_a_list_of_paths_is_no_text(provider: TracerProvider) -> None:
    with pytest.raises(TypeError, match="exclude: expected a list of paths, got '/health'"):
        OpenTelemetry(provider, exclude="/health")
