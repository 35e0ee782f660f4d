"""Frames, rule by rule and byte by byte, and against two independent implementations. RFC 6455, sections 5 to 8."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from itertools import pairwise

import pytest
import wsproto.frame_protocol as oracle
from hypothesis import given
from hypothesis import strategies as st
from tests.compiled.websocket import Deflate, Reader
from websockets.protocol import CLIENT, OPEN, SERVER, Protocol

from atlas.errors import ProtocolError
from tests.compiled import websocket

KEYS = (b"\0\0\0\0", b"\x01\x02\x03\x04", b"\xff\x80\x7f\0")


def masked(payload: bytes, key: bytes) -> bytes:
    return bytes(byte ^ key[index & 3] for index, byte in enumerate(payload))


def head(first: int, size: int, mask: int = 0x80) -> bytes:
    if size < 126:
        return bytes([first, mask | size])
    return (
        struct.pack("!BBH", first, mask | 126, size) if size < 65536 else struct.pack("!BBQ", first, mask | 127, size)
    )


def frame(first: int, payload: bytes = b"", key: bytes = KEYS[1]) -> bytes:
    """A client's frame."""
    return head(first, len(payload)) + key + masked(payload, key)


def read(data: bytes, *, max_size: int = 0, deflate: Deflate | None = None) -> list[tuple[str, object]]:
    return Reader(max_size, deflate).feed(data)


def read_both(data: bytes, **options: int) -> list[tuple[str, object]]:
    """Read *data* whole and byte by byte, and check that the results are equal."""
    whole, reader = read(data, **options), Reader(options.get("max_size", 0))
    assert [item for byte in data for item in reader.feed(bytes([byte]))] == whole
    return whole


def failure(data: bytes, **options: int) -> tuple[int, int]:
    """Return the close code of the fault in *data*, and the number of bytes after which it was seen."""
    with pytest.raises(ProtocolError) as whole:
        read(data, **options)
    reader = Reader(options.get("max_size", 0))
    taken = 0
    with pytest.raises(ProtocolError) as by_byte:
        for byte in data:
            taken += 1
            reader.feed(bytes([byte]))
    assert by_byte.value.status == whole.value.status
    return whole.value.status, taken


# --------------------------------------------------------------------------------------------------------- messages


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("size", [*range(18), 31, 32, 33, 125, 126, 127, 1000, 65535, 65536, 70000])
def test_a_message_of_any_size_is_unmasked(size: int, key: bytes) -> None:
    payload = os.urandom(size)
    assert read(frame(0x82, payload, key)) == [("binary", payload)]
    text = "x" * size
    assert read(frame(0x81, text.encode(), key)) == [("text", text)]


@pytest.mark.parametrize(
    "text", ["", "a", "Grüße", "κόσμε", "\U0001f600" * 40, "\x00\x7f\x80\u07ff\u0800\uffff\U0010ffff"]
)
def test_text(text: str) -> None:
    assert read_both(frame(0x81, text.encode())) == [("text", text)]


def test_fragments_with_control_frames_between_them() -> None:
    data = frame(0x01, b"a") + frame(0x89, b"1") + frame(0x00) + frame(0x8A, b"2") + frame(0x80, "ü".encode())
    assert read_both(data) == [("ping", b"1"), ("pong", b"2"), ("text", "aü")]


@pytest.mark.parametrize("first", [0x01, 0x02])
def test_empty_fragments(first: int) -> None:
    data = frame(first) + frame(0) * 100 + frame(0x80)
    assert [value for _, value in read_both(data)] == ["" if first == 1 else b""]


def test_a_character_may_be_cut_by_a_fragment() -> None:
    text = "\U0001f600".encode()
    for cut in range(1, 4):
        assert read_both(frame(0x01, text[:cut]) + frame(0x80, text[cut:])) == [("text", "\U0001f600")]


def test_control_frames() -> None:
    assert read_both(frame(0x89) + frame(0x8A, b"x" * 125) + frame(0x88, b"\x03\xe8")) == [
        ("ping", b""),
        ("pong", b"x" * 125),
        ("close", b"\x03\xe8"),
    ]


# ------------------------------------------------------------------------------------------------------------ faults


@pytest.mark.parametrize(
    ("data", "after"),
    [
        *((frame(0x80 | opcode), 1) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
        *((frame(bit | 0x81), 1) for bit in (0x10, 0x20, 0x40, 0x70)),
        (frame(0x09), 1),
        (frame(0x08), 1),
        (frame(0x80), 1),
        (frame(0x00), 1),
        (frame(0x01) + frame(0x81), 7),
        (frame(0x01) + frame(0x82), 7),
        (frame(0x81) + frame(0x80), 7),
        (head(0x81, 5, mask=0) + b"hello", 2),
        (head(0x89, 126) + b"    ", 2),
        (head(0x88, 70000) + b"    ", 2),
        (b"\x82\xfe\x00\x7d", 4),
        (b"\x82\xff" + struct.pack("!Q", 65535), 8),
        (b"\x82\xff" + struct.pack("!Q", 2**63), 3),
    ],
)
def test_a_violation_is_1002_at_the_byte_where_it_is(data: bytes, after: int) -> None:
    assert failure(data) == (1002, after)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        *((bytes([byte]), 1) for byte in (0x80, 0xBF, 0xC0, 0xC1, 0xF5, 0xFF)),
        *((bad, 2) for bad in (b"\xe0\x9f", b"\xed\xa0", b"\xf0\x8f", b"\xf4\x90", b"\xc2\x7f", b"\xe1\xc0")),
        *((bad, 3) for bad in (b"\xe1\x80\x7f", b"\xf1\x80\xc0")),
        (b"\xf1\x80\x80\x7f", 4),
        (b"12345678\x80", 9),
    ],
)
def test_bad_text_is_1007_at_the_byte_where_it_is(text: bytes, after: int) -> None:
    rest = b"abcdefgh" * 3
    assert failure(frame(0x81, text + rest)) == (1007, 6 + after)
    assert failure(frame(0x01, text) + frame(0x80, rest)) == (1007, 6 + after)
    assert failure(frame(0x01, b"abc") + frame(0x80, text + rest)) == (1007, 15 + after)


def test_text_that_ends_within_a_character() -> None:
    assert failure(frame(0x81, b"abc\xe2\x82")) == (1007, 11)
    assert failure(frame(0x01, b"\xe2") + frame(0x80, b"\x82")) == (1007, 14)


def test_a_message_over_the_limit_is_1009_as_soon_as_its_size_is_known() -> None:
    assert read_both(frame(0x82, b"x" * 10), max_size=10) == [("binary", b"x" * 10)]
    assert failure(frame(0x82, b"x" * 11), max_size=10) == (1009, 6)
    assert failure(frame(0x02, b"x" * 6) + frame(0x80, b"x" * 5), max_size=10) == (1009, 18)
    assert failure(head(0x82, 2**63 - 1) + KEYS[0], max_size=10) == (1009, 14)


def test_a_huge_length_takes_no_memory_ahead() -> None:
    reader = Reader(0)
    assert reader.feed(head(0x82, 2**63 - 1) + KEYS[0] + b"x" * 5000) == []
    assert reader.allocated <= 8192


# ------------------------------------------------------------------------------------------------------ close frames


def test_the_codes_that_a_close_frame_may_have() -> None:
    """RFC 6455, section 7.4, and the registry of IANA."""
    valid = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}
    assert {code for code in range(65536) if websocket.valid_close_code(code)} == valid


def test_reading_a_close_frame() -> None:
    assert websocket.closed(b"") == (1005, "")
    assert websocket.closed(b"\x03\xe8") == (1000, "")
    assert websocket.closed(b"\x0f\xa0" + "Grüße".encode()) == (4000, "Grüße")
    for payload, code in ((b"\x03", 1002), (b"\x03\xed", 1002), (b"\x00\x00", 1002), (b"\x03\xe8\xff", 1007)):
        with pytest.raises(ProtocolError) as caught:
            websocket.closed(payload)
        assert caught.value.status == code


def test_writing_a_close_frame() -> None:
    assert websocket.closing(1000, None) == b"\x03\xe8"
    assert websocket.closing(4999, "ü" * 61) == b"\x13\x87" + "ü".encode() * 61
    for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, -1, 10**30):
        with pytest.raises(ValueError, match="expected a close code"):
            websocket.closing(code, None)
    with pytest.raises(ValueError, match="at most 123 bytes, got 124"):
        websocket.closing(1000, "ü" * 62)
    with pytest.raises(TypeError, match="as an int"):
        websocket.closing("1000", None)
    with pytest.raises(TypeError, match="as a str"):
        websocket.closing(1000, b"bytes")


# ------------------------------------------------------------------------------------- independent implementations


@st.composite
def conversations(draw: st.DrawFn) -> list[bytes]:
    """Frames of a client, most of them good."""
    frames = []
    for _ in range(draw(st.integers(1, 8))):
        first = draw(st.sampled_from([0x01, 0x02, 0x00, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A, 0x08, 0xC1, 0x83]))
        payload = draw(st.one_of(st.text(max_size=20).map(str.encode), st.binary(max_size=200)))
        if first & 8:
            payload = payload[:125]
        frames.append(frame(first, payload, draw(st.binary(min_size=4, max_size=4))))
    return frames


def by_atlas(data: bytes, cuts: list[int]) -> tuple[list[tuple[str, object]], int | None]:
    reader, items, code = Reader(1000), [], None
    for start, end in pairwise([0, *sorted(cuts), len(data)]):
        try:
            reader.feed(data[start:end])
        except ProtocolError as error:
            code = error.status
        items += reader.items
        names = [name for name, _ in items]
        if "close" in names:
            return items[: names.index("close") + 1], None
        if code is not None:
            break
    return items, code


def by_wsproto(data: bytes) -> Iterator[tuple[str, object]]:
    """What wsproto reads of *data*; its exceptions have the code."""
    protocol = oracle.FrameProtocol(client=False, extensions=[])
    protocol.receive_bytes(data)
    parts: list[bytes] = []
    for each in protocol.received_frames():
        name = each.opcode.name.lower()
        if name in ("text", "binary"):
            parts.append(each.payload.encode() if name == "text" else bytes(each.payload))
            if each.message_finished:
                payload, parts = b"".join(parts), []
                yield name, payload.decode() if name == "text" else payload
        elif name == "close":
            yield name, None
            return
        else:
            yield name, bytes(each.payload)


@given(conversations(), st.lists(st.integers(0, 400), max_size=6))
def test_wsproto_reads_the_same(frames: list[bytes], cuts: list[int]) -> None:
    data = b"".join(frames)
    items, code = by_atlas(data, [cut for cut in cuts if cut < len(data)])
    expected, expected_code = [], None
    try:
        expected.extend(by_wsproto(data))
    except oracle.ParseFailed as error:
        expected_code = int(error.code)
    if items and items[-1][0] == "close":
        items[-1] = ("close", None)
    if expected and expected[-1][0] == "close":
        assert items == expected
    elif expected_code is None or code is not None:
        # A text of one frame that is cut within a character: wsproto sees it at the end of the message, as Atlas does.
        assert items == expected
        assert code == expected_code


@given(conversations(), st.lists(st.integers(0, 400), max_size=6))
def test_websockets_reads_the_same(frames: list[bytes], cuts: list[int]) -> None:
    data = b"".join(frames)
    items, code = by_atlas(data, [cut for cut in cuts if cut < len(data)])
    protocol = Protocol(SERVER, state=OPEN, max_size=1000)
    protocol.receive_data(data)
    seen = [each for each in protocol.events_received() if each.opcode.name != "CONT"]
    if code is None:
        assert protocol.parser_exc is None or (items and items[-1][0] == "close")
        assert [name for name, _ in items if name in ("ping", "pong")] == [
            each.opcode.name.lower() for each in seen if each.opcode.name in ("PING", "PONG")
        ]
    elif code != 1007:  # that package leaves the check of text to its callers
        assert protocol.close_sent is not None
        assert protocol.close_sent.code == code


@given(st.binary(max_size=300), st.integers(0, 15))
def test_whatever_comes_is_read_or_refused(data: bytes, opcode: int) -> None:
    for start in (b"", bytes([0x80 | opcode, 0x85])):
        code = 0
        try:
            read(start + data, max_size=100)
        except ProtocolError as error:
            code = error.status
        assert code in (0, 1002, 1007, 1009)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_others_read_what_a_server_writes(size: int) -> None:
    payload = os.urandom(size)
    client = Protocol(CLIENT, state=OPEN, max_size=None)
    client.receive_data(websocket.frame(0x82, payload))
    (received,) = client.events_received()
    assert (received.data, received.fin) == (payload, True)
    other = oracle.FrameProtocol(client=True, extensions=[])
    other.receive_bytes(websocket.frame(0x82, payload))
    assert b"".join(bytes(each.payload) for each in other.received_frames()) == payload
