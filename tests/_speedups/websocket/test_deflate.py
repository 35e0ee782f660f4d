"""Compression: what is negotiated, what is inflated, and what a message may cost. RFC 7692."""

from __future__ import annotations

import os
import tracemalloc
import zlib
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.compiled.websocket import Deflate, Reader
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, PerMessageDeflate
from websockets.frames import Frame
from websockets.frames import Opcode as Code
from wsproto.extensions import PerMessageDeflate as WsprotoDeflate
from wsproto.frame_protocol import FrameProtocol

from atlas._speedups.websocket import deflate
from atlas.errors import ProtocolError

from .test_frames import frame

NAME = "permessage-deflate"
NO_TAKEOVER = f"{NAME}; server_no_context_takeover; client_no_context_takeover"
NARROW = "server_max_window_bits=12; client_max_window_bits=12"


@pytest.mark.parametrize(
    ("offers", "answer"),
    [
        (NAME, f"{NAME}; client_no_context_takeover; server_max_window_bits=12"),
        (f"{NAME}; client_max_window_bits", f"{NAME}; {NARROW}"),
        (f"{NAME}; client_max_window_bits=10", f"{NAME}; server_max_window_bits=12; client_max_window_bits=10"),
        (f"{NAME}; client_max_window_bits=15", f"{NAME}; {NARROW}"),
        (f"{NAME}; client_max_window_bits=8", f"{NAME}; server_max_window_bits=12; client_max_window_bits=8"),
        (
            f"{NAME}; server_max_window_bits=9; client_max_window_bits",
            f"{NAME}; server_max_window_bits=9; client_max_window_bits=12",
        ),
        (
            f"{NO_TAKEOVER}; client_max_window_bits",
            f"{NO_TAKEOVER}; {NARROW}",
        ),
        (
            f'{NAME}; server_max_window_bits="10"; client_max_window_bits="11"',
            f"{NAME}; server_max_window_bits=10; client_max_window_bits=11",
        ),
        (f"x-other, {NAME}; x=1, {NAME}; client_max_window_bits", None),
        ("x-webkit-deflate-frame", ""),
        ("", ""),
        (f"{NAME}; server_max_window_bits=8", ""),
        *((f"{NAME}; {bad}", "") for bad in ("x", "x=1", "server_max_window_bits", "client_no_context_takeover=1")),
        *((f"{NAME}; server_max_window_bits={bad}", "") for bad in ("7", "16", "012", "x", '""', "-9")),
        (f"{NAME}; client_max_window_bits; client_max_window_bits", ""),
    ],
)
def test_what_an_offer_leads_to(offers: str, answer: str | None) -> None:
    if answer is None:
        answer = f"{NAME}; {NARROW}"
    if '""' in offers:
        with pytest.raises(ProtocolError):
            Deflate(offers)
        return
    assert (Deflate(offers).answer or "") == answer


@pytest.mark.parametrize(
    ("settings", "answer"),
    [
        ({"window_bits": 15}, NAME),
        ({"window_bits": 9}, f"{NAME}; server_max_window_bits=9; client_max_window_bits=9"),
        (
            {"context_takeover": False},
            f"{NO_TAKEOVER}; {NARROW}",
        ),
    ],
)
def test_the_settings_of_the_server(settings: dict[str, int], answer: str) -> None:
    assert Deflate(f"{NAME}; client_max_window_bits", **settings).answer == answer


def test_a_window_that_is_no_window() -> None:
    with pytest.raises(ValueError, match="from 9 to 15, got 8"):
        Deflate(NAME, window_bits=8)


def offers() -> st.SearchStrategy[str]:
    flags = st.sampled_from(["server_no_context_takeover", "client_no_context_takeover", "client_max_window_bits"])
    bits = st.tuples(st.sampled_from(["server", "client"]), st.integers(9, 15))
    named = bits.map(lambda pair: f"{pair[0]}_max_window_bits={pair[1]}")
    return st.lists(st.one_of(flags, named), max_size=4, unique_by=lambda each: each.split("=")[0]).map(
        lambda parameters: "; ".join([NAME, *parameters])
    )


@given(offers(), st.lists(st.one_of(st.text(max_size=300), st.binary(max_size=300)), max_size=6))
def test_two_others_understand_each_other_with_it(offer: str, messages: list[str | bytes]) -> None:
    """The answer is one that the client accepts, and messages go both ways, with contexts or without."""
    deflate = Deflate(offer)
    assert deflate.answer is not None
    pairs = [tuple(each.strip().split("=")) for each in deflate.answer.split(";")[1:]]
    parameters = [(name, value[0] if value else None) for name, *value in pairs]
    given = dict([*part.split("="), ""][:2] for part in offer.replace(" ", "").split(";")[1:])
    factory = ClientPerMessageDeflateFactory(
        "server_no_context_takeover" in given,
        "client_no_context_takeover" in given,
        int(given["server_max_window_bits"]) if "server_max_window_bits" in given else None,
        (int(given["client_max_window_bits"] or 15) if given["client_max_window_bits"] else True)
        if "client_max_window_bits" in given
        else None,
    )
    client = factory.process_response_params(parameters, [])
    assert isinstance(client, PerMessageDeflate)
    reader = Reader(0, deflate)
    for message in messages:
        data = message.encode() if isinstance(message, str) else message
        opcode = Code.TEXT if isinstance(message, str) else Code.BINARY
        sent = client.encode(Frame(opcode, data))
        assert reader.feed(frame(0x80 | opcode | (0x40 if sent.rsv1 else 0), bytes(sent.data))) == [
            ("text" if isinstance(message, str) else "binary", message)
        ]
        if data:
            assert client.decode(Frame(opcode, deflate.deflate(data), rsv1=True)).data == data


@given(st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=5), st.integers(9, 15), st.booleans())
def test_wsproto_understands_it(messages: list[bytes], bits: int, takeover: bool) -> None:
    client = WsprotoDeflate()
    client.offer()
    deflate = Deflate(f"{NAME}; client_max_window_bits", window_bits=bits, context_takeover=takeover)
    assert deflate.answer is not None
    client.finalize(deflate.answer)
    reader = Reader(0, deflate)
    for message in messages:
        protocol = FrameProtocol(client=True, extensions=[client])
        data = bytes(protocol.send_data(message))
        assert reader.feed(data) == [("binary", message)]


def compressed(data: bytes, *, ending: int = zlib.Z_SYNC_FLUSH, level: int = 9) -> bytes:
    compressor = zlib.compressobj(level, zlib.DEFLATED, -12)
    body = compressor.compress(data) + compressor.flush(ending)
    return body.removesuffix(b"\0\0\xff\xff") if ending == zlib.Z_SYNC_FLUSH else body + b"\0"


def new_reader(max_size: int = 0) -> Reader:
    return Reader(max_size, Deflate(f"{NAME}; client_max_window_bits"))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_fragments_of_a_compressed_message(size: int) -> None:
    text = "Grüße, Jürgen! " * 50
    body = compressed(text.encode())
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    data = frame(0x41) + b"".join(frame(0, piece) for piece in pieces) + frame(0x89) + frame(0x80)
    assert new_reader().feed(data) == [("ping", b""), ("text", text)]
    reader = new_reader()
    assert [item for byte in data for item in reader.feed(bytes([byte]))] == [("ping", b""), ("text", text)]


def test_a_last_block_in_the_middle_of_a_conversation() -> None:
    """RFC 7692, section 7.2.3.4."""
    reader = new_reader()
    for _ in range(3):
        assert reader.feed(frame(0xC1, compressed(b"Hello", ending=zlib.Z_FINISH))) == [("text", "Hello")]
        assert reader.feed(frame(0xC1, compressed(b"again"))) == [("text", "again")]


def test_the_examples_of_the_rfc() -> None:
    """RFC 7692, section 7.2.3: one block, a shared window, a stored block, BFINAL, two blocks."""
    hello = bytes.fromhex("f2 48 cd c9 c9 07 00")
    assert new_reader().feed(frame(0xC1, hello)) == [("text", "Hello")]
    reader = new_reader()
    assert reader.feed(frame(0xC1, hello) + frame(0xC1, bytes.fromhex("f2 00 11 00 00"))) == [("text", "Hello")] * 2
    for example in (
        "00 05 00 fa ff 48 65 6c 6c 6f 00",
        "f3 48 cd c9 c9 07 00 00",
        "f2 48 05 00 00 00 ff ff ca c9 c9 07 00",
    ):
        assert new_reader().feed(frame(0xC1, bytes.fromhex(example))) == [("text", "Hello")]
    assert new_reader().feed(frame(0x41, hello[:3]) + frame(0x80, hello[3:])) == [("text", "Hello")]
    assert new_reader().feed(frame(0xC1, b"\0")) == [("text", "")]


@pytest.mark.parametrize("opcode", [0x01, 0x02])
def test_uncompressed_messages_between_compressed_ones(opcode: int) -> None:
    value: str | bytes = "plain" if opcode == 1 else b"plain"
    data = frame(0xC1, compressed(b"a")) + frame(0x80 | opcode, b"plain") + frame(0xC1, compressed(b"b"))
    assert [item[1] for item in new_reader().feed(data)] == ["a", value, "b"]


@pytest.mark.parametrize("data", [frame(0x41) + frame(0xC0, b"x"), frame(0xC9), frame(0xC8)])
def test_the_bit_is_for_the_first_frame_of_a_message_only(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="a reserved bit is set"):
        new_reader().feed(data)


@pytest.mark.parametrize("body", [b"\xff\xff\xff", b"\x07", b"\xb8\x08\x66\xcc" + b"\xff" * 20])
def test_data_that_is_not_compressed_is_1007(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="1007"):
        new_reader().feed(frame(0xC2, body))


def test_bad_text_is_found_while_it_is_inflated() -> None:
    reader = new_reader()
    compressor = zlib.compressobj(9, zlib.DEFLATED, -12)
    reader.feed(frame(0x41, compressor.compress(b"good ") + compressor.flush(zlib.Z_SYNC_FLUSH)))
    with pytest.raises(ProtocolError, match="1007"):
        reader.feed(frame(0x00, compressor.compress(b"\xff") + compressor.flush(zlib.Z_SYNC_FLUSH)))


def test_the_limit_is_of_the_inflated_message() -> None:
    assert new_reader(1000).feed(frame(0xC2, compressed(b"x" * 1000))) == [("binary", b"x" * 1000)]
    for data in (
        frame(0xC2, compressed(b"x" * 1001)),
        frame(0x42, compressed(b"x" * 600) + b"\0\0\xff\xff") + frame(0x80, compressed(b"x" * 500)),
        frame(0xC2, compressed(b"x" * 1001, ending=zlib.Z_FINISH)),
    ):
        with pytest.raises(ProtocolError, match="1009"):
            new_reader(1000).feed(data)
    random = os.urandom(1000)  # its compressed form is larger than the limit
    assert new_reader(1000).feed(frame(0xC2, compressed(random))) == [("binary", random)]


def test_a_bomb_costs_no_more_than_the_limit() -> None:
    bomb = frame(0xC2, compressed(b"\0" * 200_000_000))
    reader = new_reader(1_000_000)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    with pytest.raises(ProtocolError, match="1009"):
        reader.feed(bomb)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert peak < 4_000_000


def test_endless_empty_blocks_end_at_a_limit() -> None:
    reader = new_reader(10_000)
    reader.feed(frame(0x42))
    with pytest.raises(ProtocolError, match="1009"):
        for _ in range(10_000):
            reader.feed(frame(0x00, b"\0\0\0\xff\xff"))


def test_contexts_are_made_when_they_are_needed_and_dropped_without_takeover() -> None:
    kept = Deflate(f"{NAME}; client_max_window_bits")
    assert kept.lazy
    kept.deflate(b"x")
    assert not kept.lazy
    dropped = Deflate(NO_TAKEOVER)
    dropped.deflate(b"x")
    Reader(0, dropped).feed(frame(0xC2, compressed(b"x")))
    assert dropped.lazy


def test_zlib_ng_is_used_where_no_context_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A context of it takes 130 KiB, which an idle connection may not keep."""
    asked: list[str] = []

    def recording(name: str) -> Any:
        def compressobj(*arguments: Any) -> Any:
            asked.append(f"{name} compresses")
            return zlib.compressobj(*arguments)

        def decompressobj(*arguments: Any) -> Any:
            asked.append(f"{name} inflates")
            return zlib.decompressobj(*arguments)

        return SimpleNamespace(compressobj=compressobj, decompressobj=decompressobj, DEFLATED=8, error=zlib.error)

    monkeypatch.setattr(deflate, "zlib", recording("zlib"))
    monkeypatch.setattr(deflate, "transient_zlib", recording("zlib-ng"))
    for offer in (f"{NAME}; client_max_window_bits", NO_TAKEOVER):
        agreed = Deflate(offer)
        agreed.deflate(b"x" * 100)
        Reader(0, agreed).feed(frame(0xC2, compressed(b"x")))
    assert asked == ["zlib compresses", "zlib inflates", "zlib-ng compresses", "zlib-ng inflates"]
