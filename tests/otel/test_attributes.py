"""The attributes of a span by the semantic conventions."""

from typing import Any

import pytest

import atlas
from atlas.otel.attributes import method_of, request_attributes, span_name
from atlas.testing import TestClient


def seen(path: str = "/users/a", method: str = "GET", **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def look(request: atlas.Request, call_next: Any) -> Any:
        found.update(request_attributes(request), name=span_name(request), method=method_of(request))
        return call_next(request)

    app = atlas.Application([atlas.Route("/users/{name}", lambda request, name: name)], middleware=[look])
    with TestClient(app) as client:
        client.request(method, path, **options)
    return found


def test_a_request() -> None:
    found = seen("/users/%C3%A9?a=1&sig=secret&X-Goog-Signature=s&design=2", headers={"user-agent": "test/1"})
    assert found["name"] == "GET /users/{name}"
    assert found["http.route"] == "/users/{name}"
    assert found["http.request.method"] == "GET"
    assert "http.request.method_original" not in found
    assert found["url.path"] == "/users/%C3%A9"
    assert found["url.query"] == "a=1&sig=REDACTED&X-Goog-Signature=REDACTED&design=2"
    assert found["url.scheme"] == "http"
    assert found["user_agent.original"] == "test/1"
    assert found["network.protocol.version"] == "1.1"
    assert found["client.address"] == "127.0.0.1"


def test_a_path_that_no_route_has() -> None:
    found = seen("/none")
    assert found["name"] == "GET"
    assert "http.route" not in found
    assert "url.query" not in found


def test_an_unknown_method() -> None:
    found = seen("/users/a", "PURGE")
    assert found["name"] == "HTTP"
    assert found["http.request.method"] == "_OTHER"
    assert found["http.request.method_original"] == "PURGE"


@pytest.mark.parametrize(
    ("host", "address", "port"),
    [("a.test", "a.test", 80), ("a.test:81", "a.test", 81), ("[::1]:8000", "::1", 8000), ("[::1]", "::1", 80)],
)
def test_the_address_of_the_server(host: str, address: str, port: int) -> None:
    found = seen(headers={"host": host})
    assert (found["server.address"], found["server.port"]) == (address, port)
