import asyncio
import gzip
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import pytest
import zstandard

from atlas import BadRequest, ClientDisconnected, ContentTooLarge
from atlas.web.requests import content_decoding
from atlas.web.requests.content_decoding import CODINGS, DecodedBody, find_decoders

TEXT = b"".join(b"line %d\n" % number for number in range(5000))
LARGE = 16 * 1024 * 1024


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


ENCODED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "gzip members": ("gzip", lambda data: gzip.compress(data[:99]) + gzip.compress(b"") + gzip.compress(data[99:])),
    "x-gzip": ("x-gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "deflate without zlib": ("deflate", raw_deflate),
    "br": ("br", lambda data: brotli.compress(data, quality=4)),
    "zstd": ("zstd", zstandard.compress),
    "zstd frames": ("zstd", lambda data: zstandard.compress(data[:99]) + zstandard.compress(data[99:])),
}
each_coding = pytest.mark.parametrize("coding", ENCODED)


class Client:
    """Sends a body in chunks. ``receive`` fails the test if it is called after the end."""

    def __init__(self, body: bytes, step: int = 10**9, *, leaves: bool = False) -> None:
        self.chunks = [body[start : start + step] for start in range(0, len(body), step)] or [b""]
        self.leaves = leaves
        self.received = 0

    async def receive(self) -> Any:
        if not self.chunks and self.leaves:
            return {"type": "http.disconnect"}
        chunk = self.chunks.pop(0)
        self.received += len(chunk)
        return {"type": "http.request", "body": chunk, "more_body": bool(self.chunks) or self.leaves}


def body_of(client: Client, *codings: str, limit: int = 2**40) -> DecodedBody:
    decoders = find_decoders(CODINGS)
    return DecodedBody(client.receive, limit, [decoders[coding]() for coding in reversed(codings)])


def decoded(client: Client, *codings: str, limit: int = 2**40) -> list[bytes]:
    async def read() -> list[bytes]:
        body, pieces = body_of(client, *codings, limit=limit), []
        while (piece := await body.read()) is not None:
            pieces.append(piece)
        assert body.ended
        return pieces

    return asyncio.run(read())


@each_coding
@pytest.mark.parametrize("step", [1, 1000, 10**9])
def test_a_body_is_decoded(coding: str, step: int) -> None:
    name, encode = ENCODED[coding]
    pieces = decoded(Client(encode(TEXT), step), name)
    assert b"".join(pieces) == TEXT
    assert all(pieces)


@each_coding
def test_codings_are_undone_in_reverse_order(coding: str) -> None:
    name, encode = ENCODED[coding]
    assert b"".join(decoded(Client(gzip.compress(encode(TEXT)), 1000), name, "gzip")) == TEXT
    assert b"".join(decoded(Client(encode(gzip.compress(TEXT)), 1000), "gzip", name)) == TEXT


@each_coding
def test_a_large_body_comes_in_pieces(coding: str) -> None:
    name, encode = ENCODED[coding]
    pieces = decoded(Client(encode(bytes(LARGE))), name)
    assert sum(map(len, pieces)) == LARGE
    assert max(map(len, pieces)) <= 3 * 1024 * 1024


@each_coding
def test_decoding_stops_at_the_limit(coding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, encode = ENCODED[coding]
    sizes = []

    def check(size: int, limit: int) -> None:
        sizes.append(size)
        check_size(size, limit)

    check_size = content_decoding.check_size
    monkeypatch.setattr(content_decoding, "check_size", check)
    with pytest.raises(ContentTooLarge, match="1000000 bytes"):
        decoded(Client(encode(bytes(LARGE))), name, limit=1_000_000)
    assert max(sizes) < 4_000_000


def test_each_coding_is_limited() -> None:
    empty = gzip.compress(b"")
    body = gzip.compress(empty * 20_000)
    with pytest.raises(ContentTooLarge):
        decoded(Client(body), "gzip", "gzip", limit=len(empty) * 20_000 - 1)
    assert decoded(Client(body), "gzip", "gzip", limit=len(empty) * 20_000) == []


def test_the_body_as_it_is_sent_is_limited() -> None:
    client = Client(gzip.compress(b"") * 1000, 1000)
    with pytest.raises(ContentTooLarge):
        decoded(client, "gzip", limit=5000)
    assert client.received == 6000


def test_a_body_of_the_size_of_the_limit_is_read() -> None:
    assert b"".join(decoded(Client(gzip.compress(TEXT)), "gzip", limit=len(TEXT))) == TEXT
    with pytest.raises(ContentTooLarge):
        decoded(Client(gzip.compress(TEXT)), "gzip", limit=len(TEXT) - 1)


@each_coding
def test_an_empty_body_needs_no_coding(coding: str) -> None:
    assert decoded(Client(b""), ENCODED[coding][0]) == []


@each_coding
@pytest.mark.parametrize("step", [1, 10**9])
def test_a_body_that_ends_too_early_is_refused(coding: str, step: int) -> None:
    name, encode = ENCODED[coding]
    whole = encode(TEXT)
    for end in (1, 5, len(whole) // 2, len(whole) - 1):
        with pytest.raises(BadRequest, match="content coding|content-encoding"):
            decoded(Client(whole[:end], step), name)


@each_coding
@pytest.mark.parametrize("step", [1, 10**9])
def test_data_behind_the_end_is_refused(coding: str, step: int) -> None:
    name, encode = ENCODED[coding]
    with pytest.raises(BadRequest, match="not encoded as its content-encoding says"):
        decoded(Client(encode(TEXT) + b"more than the end", step), name)


@each_coding
def test_another_coding_is_refused(coding: str) -> None:
    with pytest.raises(BadRequest, match="not encoded as its content-encoding says"):
        decoded(Client(b'{"plain": "JSON is no coding"}'), ENCODED[coding][0])


def test_a_refused_body_stays_refused() -> None:
    async def read_twice() -> None:
        body = body_of(Client(b"no gzip"), "gzip")
        for _ in range(2):
            with pytest.raises(BadRequest):
                await body.read()

    asyncio.run(read_twice())


def test_zstd_with_a_large_window_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=24)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(BadRequest):
        decoded(Client(packer.compress(TEXT) + packer.flush()), "zstd")


def test_chunks_that_were_looked_at_are_received_again() -> None:
    async def go() -> list[Any]:
        body = body_of(Client(gzip.compress(TEXT), 1000), "gzip")
        first = await body.look(0)
        assert first is not None
        events = [await body.receive()]
        while events[-1]["more_body"]:
            events.append(await body.receive())
        return [first, *(event["body"] for event in events)]

    first, *pieces = asyncio.run(go())
    assert pieces[0] == first
    assert b"".join(pieces) == TEXT


def test_a_client_that_disconnects() -> None:
    async def go() -> None:
        start = gzip.compress(TEXT)[:1000]
        body = body_of(Client(start, leaves=True), "gzip")
        with pytest.raises(ClientDisconnected):
            while await body.read() is not None:
                pass
        body = body_of(Client(start, leaves=True), "gzip")
        while (event := await body.receive())["type"] == "http.request":
            assert event["more_body"]
        assert event == {"type": "http.disconnect"}

    asyncio.run(go())
