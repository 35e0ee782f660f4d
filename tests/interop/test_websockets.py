"""The WebSockets of four frameworks, of Atlas and of a sync function, through four clients."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from .websocket_clients import Aiohttp, Client, Node, Websockets
from .websocket_sites import SITES

MESSAGES: list[str | bytes] = ["text", "Grüße \U0001f600", b"\0\xff" * 100, "x" * 20_000, b"y" * 70_000, "z" * 64]


@pytest.fixture(scope="module", params=list(SITES))
def site(request: pytest.FixtureRequest, serve_module: Callable[..., Any]) -> str:
    """The name of a framework, and the address of its site."""
    name: str = request.param
    server = serve_module(SITES[name](), lifespan="auto")
    host, port = server.sockets[0].getsockname()[:2]
    return f"ws://{host}:{port}"


@pytest.fixture(params=["websockets", "websockets-compressed", "aiohttp", "node"])
def client(request: pytest.FixtureRequest) -> Client:
    if request.param == "aiohttp":
        return Aiohttp()
    if request.param != "node":
        return Websockets("deflate" if request.param.endswith("compressed") else None)
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    return Node(node)


def test_an_echo(site: str, client: Client) -> None:
    ended = client.talk(f"{site}/echo", MESSAGES, ["chat", "other"], closes=True)
    assert ended.messages == MESSAGES
    assert ended.subprotocol == "chat"
    assert ended.code == 1000


def test_a_close_by_the_application(site: str, client: Client) -> None:
    ended = client.talk(f"{site}/close", ['{"a": [1, null]}'], [], closes=False)
    assert [json.loads(each) for each in ended.messages] == [{"said": {"a": [1, None]}}]
    assert (ended.subprotocol, ended.code, ended.reason) == (None, 4321, "genug")


def test_a_denial(site: str, client: Client) -> None:
    assert client.status(f"{site}/deny") in (401, 403, None)


def test_no_route(site: str, client: Client, request: pytest.FixtureRequest) -> None:
    if "lasgi" not in request.node.name:
        assert client.status(f"{site}/nothing") in (403, 404, None)
