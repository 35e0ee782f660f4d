"""The endpoint of a server in one process, by real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

import atlas
from atlas.errors import StartupError
from atlas.server.metrics.endpoint import serving_in_thread
from atlas.server.metrics.families import Family, Sample
from tests.server.metrics.scraping import PATIENCE, get, scrape


@contextmanager
def serving(app: Any, folder: Path, **settings: Any) -> Iterator[tuple[Path, Any]]:
    """The path of the endpoint, and a function that sends a request to the application and returns its response."""
    path = folder / "metrics.sock"
    with atlas.Server(app, port=0, metrics=f"unix:{path}", access_log=False, **settings).run_in_thread() as server:
        port = server.sockets[0].getsockname()[1]

        def request(target: str, method: str = "GET") -> bytes:
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
                client.sendall(f"{method} {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
                return client.makefile("rb").read()

        yield path, request


def fail(request: atlas.Request) -> None:
    raise RuntimeError("wrong")


async def user(request: atlas.AsyncRequest, name: str) -> str:
    return name


def test_the_routes_of_an_application(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(300_000))
    pages = [
        atlas.Include("/users", [atlas.Route("/{name}", user, ("GET", "POST"))]),
        atlas.Route("/fail", fail),
        atlas.Static("/static", tmp_path),
    ]
    with serving(atlas.Application(pages), tmp_path) as (path, request):
        for name in ("a", "b", "c"):
            assert b"200 OK" in request(f"/users/{name}?q={name}")
        request("/users/a", "POST")
        request("/users/a", "PUT")
        request("/none/such")
        request("/fail")
        assert len(request("/static/file")) > 300_000
        request("*", "OPTIONS")
        found = scrape(path)
    counted = {key.partition("{")[2][:-1]: value for key, value in found.items() if "http_requests_total" in key}
    assert counted == {
        "method=GET,route=/users/{name},status=2xx": 3,
        "method=POST,route=/users/{name},status=2xx": 1,
        "method=PUT,route=(unmatched),status=4xx": 1,
        "method=GET,route=(unmatched),status=4xx": 1,
        "method=GET,route=/fail,status=5xx": 1,
        "method=GET,route=/static/{path:path},status=2xx": 1,
        "method=OPTIONS,route=(server),status=2xx": 1,
    }
    assert found["atlas_connections_accepted_total"] == 9
    assert found["atlas_sent_bytes_total"] > 300_000
    assert found["atlas_http_request_duration_seconds_count{method=GET,route=/users/{name}}"] == 3
    assert found["atlas_workers{state=ready}"] == 1


def test_a_third_party_application_has_one_label(tmp_path: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body"})

    with serving(app, tmp_path, lifespan="off") as (path, request):
        request("/a")
        request("/b")
        found = scrape(path)
    assert found["atlas_http_requests_total{method=GET,route=(application),status=4xx}"] == 2


def test_connections_that_are_open(tmp_path: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    def wait(request: atlas.Request) -> str:
        entered.set()
        leave.wait(PATIENCE)
        return "x"

    app = atlas.Application([atlas.Route("/", wait, run="thread")])
    with serving(app, tmp_path) as (path, request):
        thread = threading.Thread(target=request, args=("/",))
        thread.start()
        assert entered.wait(PATIENCE)
        found = scrape(path)
        leave.set()
        thread.join()
        assert found["atlas_connections{state=active}"] == 1
        assert found["atlas_connections{state=idle}"] == 0
        assert found["atlas_http_requests_in_progress"] == 1
        assert scrape(path)["atlas_http_requests_in_progress"] == 0


def test_it_answers_while_the_event_loop_is_blocked(tmp_path: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    def block(request: atlas.Request) -> str:
        entered.set()
        leave.wait(PATIENCE)
        return "x"

    app = atlas.Application([atlas.Route("/", block, run="inline")])
    with serving(app, tmp_path, timeout_worker_heartbeat=0.5) as (path, request):
        assert get(path, "/healthz")[::2] == (200, "ok\n")
        thread = threading.Thread(target=request, args=("/",))
        thread.start()
        assert entered.wait(PATIENCE)
        while (status := get(path, "/healthz")[0]) == 200:
            pass
        assert status == 503
        assert scrape(path)["atlas_event_loop_lag_seconds{worker=0}"] > 0.5
        leave.set()
        thread.join()
        while get(path, "/healthz")[0] != 200:
            pass


def test_refusals(tmp_path: Path) -> None:
    app = atlas.Application([])
    with serving(app, tmp_path, limit_request_line=64) as (path, request):
        assert b" 414 " in request("/" + "x" * 100)
        found = scrape(path)
    assert found["atlas_http_requests_refused_total{reason=limit-request-line}"] == 1
    assert found["atlas_http_requests_total{method=GET,route=(server),status=4xx}"] == 1


def test_openmetrics(tmp_path: Path) -> None:
    with serving(atlas.Application([]), tmp_path) as (path, request):
        request("/")
        status, fields, body = get(path, "/metrics", "Accept: application/openmetrics-text;q=0.5, text/plain;q=0.3")
        assert status == 200
        assert fields["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert "atlas_http_requests" in {family.name for family in parse_openmetrics(body)}
        assert get(path, "/metrics")[1]["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_other_requests(tmp_path: Path) -> None:
    with serving(atlas.Application([]), tmp_path) as (path, _):
        assert get(path, "/other")[::2] == (404, "Not found: expected /metrics, /healthz or /readyz\n")
        status, fields, _ = get(path, "/metrics", method="POST")
        assert (status, fields["allow"]) == (405, "GET, HEAD")
        status, fields, body = get(path, "/readyz", method="HEAD")
        assert (status, fields["content-length"], body) == (200, "3", "")
        assert fields["cache-control"] == "no-store"


def test_an_address_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        server = atlas.Server(atlas.Application([]), port=0, metrics=address)
        with pytest.raises(StartupError, match=rf"^--metrics {address}.* in use"), server.run_in_thread():
            pass


def test_a_source_of_any_kind(tmp_path: Path) -> None:
    class Source:
        def is_ready(self) -> bool:
            return False

        def is_alive(self) -> bool:
            return False

        def families(self) -> list[Family]:
            return [Family("x", "gauge", "X.", [Sample(1)])]

    with serving_in_thread(f"unix:{tmp_path / 'x.sock'}", Source()):
        assert scrape(tmp_path / "x.sock") == {"x": 1}
        assert get(tmp_path / "x.sock", "/readyz")[::2] == (503, "not ready\n")
        assert get(tmp_path / "x.sock", "/healthz")[::2] == (503, "the loop is blocked\n")
    assert not (tmp_path / "x.sock").exists()
