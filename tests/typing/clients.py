"""Test clients as a type checker sees them. Never run: only checked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, assert_type

from atlas import Application, AsyncTestClient, TestClient
from atlas.testing import AsyncStreamedResponse, HTTPStatusError, Response, StreamedResponse


def plain(app: Application) -> None:
    with TestClient(app, base_url="http://a.test", raise_server_exceptions=False, over_socket=False) as client:
        assert_type(client, TestClient)
        response = client.get("/", params={"a": [1, None]}, headers={"x": "y"}, cookies={"a": "b"})
        assert_type(response, Response)
        assert_type(response.status_code, int)
        assert_type(response.headers["a"], str)
        assert_type(response.text, str)
        assert_type(response.content, bytes)
        assert_type(response.json(), Any)
        assert_type(response.history, list[Response])
        assert_type(response.url.path, str)
        assert_type(response.cookies["a"], str)
        assert_type(response.raise_for_status(), Response)
        assert_type(response.iter_bytes(), Iterator[bytes])
        client.post("/", json={"a": 1}, follow_redirects=True)
        client.put("/", data={"a": 1}, files={"f": ("a.txt", b"x", "text/plain")})
        client.patch("/", content=iter([b"a"]))
        client.delete("/", auth=("a", "b"))
        client.head("/")
        client.options("/")
        client.request("GET", "/")
        client.get("/", jsn=1)  # type: ignore[call-arg]
        client.headers["x-a"] = "b"
        client.cookies["a"] = "b"
        with client.stream("GET", "/") as streamed:
            assert_type(streamed, StreamedResponse)
            assert_type(streamed.iter_lines(), Iterator[str])
            client.disconnect()
    try:
        response.raise_for_status()
    except HTTPStatusError as error:
        assert_type(error.response, Response)


async def waiting(app: Application) -> None:
    async with AsyncTestClient(app) as client:
        assert_type(client, AsyncTestClient)
        assert_type(await client.get("/"), Response)
        assert_type((await client.post("/", data=[("a", 1)])).json(), Any)
        async with client.stream("GET", "/") as streamed:
            assert_type(streamed, AsyncStreamedResponse)
            assert_type(streamed.aiter_lines(), AsyncIterator[str])
            assert_type(await streamed.aread(), bytes)
