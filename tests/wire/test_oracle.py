"""An independent oracle: h11 reads what Atlas writes, Atlas reads what h11 writes, in whatever pieces it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import h11
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .wire_server import WireServer

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

TOKEN = st.text(
    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=20
)
VALUE = st.binary(max_size=40).map(
    lambda value: bytes(byte for byte in value if byte == 9 or 32 <= byte != 127).strip(b" \t")
)
OURS = {
    b"content-length",
    b"transfer-encoding",
    b"connection",
    b"host",
    b"expect",
    b"upgrade",
    b"date",
    b"server",
    b"keep-alive",
}
FIELDS = st.lists(st.tuples(TOKEN.map(str.encode), VALUE), max_size=8).map(
    lambda pairs: [pair for pair in pairs if pair[0].lower() not in OURS]
)
TARGET = st.text("abcXYZ019-._~!$&'()*+,;=:@/?%", max_size=40).map(lambda rest: "/" + rest)
BODY = st.lists(st.binary(max_size=200) | st.binary(min_size=1, max_size=1).map(lambda byte: byte * 70_000), max_size=5)
METHOD = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])


@pytest.fixture(scope="module")
def served(wires: Callable[[str], WireServer]) -> Iterator[WireServer]:
    wire = wires("uvloop-whole")
    yield wire
    wire.app.clear()


@st.composite
def requests(draw: Any) -> dict[str, Any]:
    return {
        "method": draw(METHOD),
        "target": draw(TARGET),
        "fields": draw(FIELDS),
        "body": draw(BODY),
        "chunked": draw(st.booleans()),
    }


def write_request(request: dict[str, Any]) -> bytes:
    """The bytes that h11 sends for *request*."""
    writer = h11.Connection(h11.CLIENT)
    length = sum(map(len, request["body"]))
    framing = ("Transfer-Encoding", "chunked") if request["chunked"] else ("Content-Length", str(length))
    headers = [("Host", "oracle.example"), *request["fields"], framing]
    data = [writer.send(h11.Request(method=request["method"], target=request["target"], headers=headers)) or b""]
    data += [writer.send(h11.Data(data=piece)) or b"" for piece in request["body"]]
    data.append(writer.send(h11.EndOfMessage()) or b"")
    return b"".join(data)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """*data* in pieces, cut at *places* (taken modulo its length)."""
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(edges)]


@QUICK
@given(batch=st.lists(requests(), min_size=1, max_size=5), places=st.lists(st.integers(0, 1_000_000), max_size=12))
def test_what_h11_writes_is_read_by_atlas(served: WireServer, batch: list[dict[str, Any]], places: list[int]) -> None:
    served.app.clear()
    with served.connect() as client:
        for piece in cut(b"".join(map(write_request, batch)), places):
            client.send(piece)
        for request in batch:
            answer = client.response(request["method"])
            assert answer.status == 200
            told = answer.json()
            assert told["method"] == request["method"]
            path, _, query = request["target"].partition("?")
            assert (told["raw_path"], told["query_string"]) == (path, query)
            expected = [[name.decode().lower(), value.decode("latin-1")] for name, value in request["fields"]]
            assert [pair for pair in told["headers"] if pair[0].encode() not in OURS] == expected
            assert told["body"].encode("latin-1") == b"".join(request["body"])
            assert told["complete"]


@st.composite
def responses(draw: Any) -> dict[str, Any]:
    pieces = draw(BODY)
    return {
        "status": draw(st.integers(200, 599)),
        "fields": [(name.lower(), value) for name, value in draw(FIELDS)],
        "pieces": pieces,
        "told_length": draw(st.booleans()),
        "end": draw(st.sampled_from(["apart", "with the last piece"])),
    }


async def run_script(response: dict[str, Any], send: Any) -> None:
    """Send *response* as an application would."""
    headers = list(response["fields"])
    pieces = response["pieces"]
    if response["told_length"]:
        headers.append((b"content-length", b"%d" % sum(map(len, pieces))))
    await send({"type": "http.response.start", "status": response["status"], "headers": headers})
    joined = response["end"] == "with the last piece" and pieces
    for index, piece in enumerate(pieces):
        last = joined and index == len(pieces) - 1
        await send({"type": "http.response.body", "body": piece, "more_body": not last})
    if not joined:
        await send({"type": "http.response.body"})


@QUICK
@given(batch=st.lists(st.tuples(responses(), st.sampled_from(["GET", "HEAD", "POST"])), min_size=1, max_size=5))
def test_what_atlas_writes_is_read_by_h11(served: WireServer, batch: list[tuple[dict[str, Any], str]]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await run_script(batch[int(scope["path"][1:])][0], send)

    served.set_app(app)
    with served.connect() as client:
        for index, (_, method) in enumerate(batch):
            client.send(f"{method} /{index} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        for response, method in batch:
            answer = client.response(method)
            assert answer.status == response["status"]
            assert [pair for pair in answer.headers if pair[0] not in OURS] == response["fields"]
            bodiless = method == "HEAD" or response["status"] in (204, 304)
            assert answer.body == (b"" if bodiless else b"".join(response["pieces"]))
