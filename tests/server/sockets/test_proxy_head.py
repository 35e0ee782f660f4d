"""Heads of the PROXY protocol as bytes: what they say, where they end, and what is none."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.server.sockets.proxy_head import MAX_HEAD, ProxyHead, ProxyHeadError, count_head_bytes, parse_head

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
V4 = ip_address("192.0.2.7").packed + ip_address("198.51.100.1").packed + struct.pack("!HH", 56324, 443)
V6 = ip_address("2001:db8::7").packed + ip_address("2001:db8::1").packed + struct.pack("!HH", 56324, 443)
MAPPED = ip_address("::ffff:192.0.2.7").packed + ip_address("::ffff:198.51.100.1").packed + struct.pack("!HH", 1, 2)
UNIX = b"/run/client".ljust(108, b"\0") + b"/run/front.sock".ljust(108, b"\0")

FOUR = ProxyHead(client=("192.0.2.7", 56324), server=("198.51.100.1", 443))
SIX = ProxyHead(client=("2001:db8::7", 56324), server=("2001:db8::1", 443))
LOCAL = ProxyHead(is_local=True)


def binary(command: int, kind: int, rest: bytes = b"", size: int | None = None) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, kind, len(rest) if size is None else size) + rest


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


CHECKSUM, UNIQUE_ID = tlv(0x03, b"\x01\x02\x03\x04"), tlv(0x05, b"")
OVER_TLS = tlv(0x20, b"\x01" + bytes(4) + tlv(0x21, b"TLSv1.3") + tlv(0x22, b"client"))
WITHOUT_TLS = tlv(0x20, b"\x00" + bytes(4))

HEADS = {
    "1-tcp4": (b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n", FOUR),
    "1-tcp6": (b"PROXY TCP6 2001:db8::7 2001:DB8::1 56324 443\r\n", SIX),
    "1-mapped": (
        b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 1 2\r\n",
        ProxyHead(client=("192.0.2.7", 1), server=("198.51.100.1", 2)),
    ),
    "1-unknown": (b"PROXY UNKNOWN\r\n", LOCAL),
    "1-unknown-with-more": (b"PROXY UNKNOWN ffff:f::1 ffff::2 65535 65535\r\n", LOCAL),
    "2-tcp4": (binary(0x21, 0x11, V4), FOUR),
    "2-tcp6": (binary(0x21, 0x21, V6), SIX),
    "2-mapped": (binary(0x21, 0x21, MAPPED), ProxyHead(client=("192.0.2.7", 1), server=("198.51.100.1", 2))),
    "2-udp4": (binary(0x21, 0x12, V4), FOUR),
    "2-unix": (binary(0x21, 0x31, UNIX), ProxyHead(server=("/run/front.sock", None))),
    "2-unix-without-a-name": (binary(0x21, 0x31, bytes(216)), ProxyHead()),
    "2-unspecified": (binary(0x21, 0x00), LOCAL),
    "2-unspecified-protocol": (binary(0x21, 0x10, V4), LOCAL),
    "2-local": (binary(0x20, 0x00), LOCAL),
    "2-local-with-more": (binary(0x20, 0x11, V4 + CHECKSUM), LOCAL),
    "2-tlvs": (binary(0x21, 0x11, V4 + CHECKSUM + UNIQUE_ID + tlv(0xE0, b"x" * 300)), FOUR),
    "2-tls": (
        binary(0x21, 0x11, V4 + CHECKSUM + OVER_TLS + UNIQUE_ID),
        ProxyHead(client=FOUR.client, server=FOUR.server, secure=True),
    ),
    "2-no-tls": (binary(0x21, 0x11, V4 + WITHOUT_TLS), FOUR),
    "2-tlvs-cut-off": (binary(0x21, 0x11, V4 + tlv(0x04, b"abc")[:-1] + b"\x20"), FOUR),
    "2-tls-cut-off": (binary(0x21, 0x11, V4 + b"\x20\x00\x05"), FOUR),
    "2-longest": (binary(0x21, 0x11, V4 + bytes(MAX_HEAD - 16 - len(V4))), FOUR),
}


def read_in_pieces(data: bytes, size: int) -> tuple[ProxyHead | None, bytes]:
    """Parse as the reader does; return the head, and what is left for the next protocol."""
    received, at = b"", 0
    while at < len(data):
        piece = data[at : at + size]
        taken = count_head_bytes(received + piece) - len(received)
        assert taken > 0
        received, at = received + piece[:taken], at + taken
        head = parse_head(received)
        if head is not None:
            return head, data[at:]
        assert taken == len(piece)
    return None, b""


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("size", [1, 2, 7, 1 << 20])
def test_a_head_ends_where_it_ends(name: str, size: int) -> None:
    data, head = HEADS[name]
    for behind in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\r\n", data):
        assert read_in_pieces(data + behind, size) == (head, behind)
    assert read_in_pieces(data[:-1], size) == (None, b"")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"GET / HTTP/1.1\r\n", "this is no head of the PROXY protocol"),
        (b"\x16\x03\x01\x02\x00\x01", "this is no head"),
        (b"PROXZ TCP4", "this is no head"),
        (b"proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n", "this is no head"),
        (b"\r\n\r\nGET", "this is no head"),
        (b"PROXY TCP4 " + b"1" * 96, "a line of version 1 has at most 107 bytes"),
        (b"PROXY UNKNOWN " + b"1" * 92 + b"\r\n", "at most 107 bytes"),
        (b"PROXY \r\n", "expected TCP4, TCP6 or UNKNOWN"),
        (b"PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n", "expected TCP4, TCP6 or UNKNOWN"),
        (b"PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n", "two addresses and two ports"),
        (b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n", "two addresses and two ports"),
        (b"PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n", "two addresses and two ports"),
        (b"PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n", "expected a port from 0 to 65535, got '65536'"),
        (b"PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n", "expected a port"),
        (b"PROXY TCP4 1.1.1.1 2.2.2.2 1 \xb2\r\n", "expected a port"),
        (b"PROXY TCP4 ::1 ::2 1 2\r\n", "version 1: "),
        (b"PROXY TCP6 fe80::1%a\nb ::1 1 2\r\n", "version 1: expected addresses without a zone"),
        (b"PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n", "version 1: "),
        (b"PROXY TCP4 1.1.1.1 evil\x1b[2J 1 2\r\n", "version 1: "),
        (binary(0x11, 0x11, V4), "expected version 2 with the command LOCAL or PROXY, got 0x11"),
        (binary(0x31, 0x11, V4), "got 0x31"),
        (binary(0x22, 0x11, V4), "got 0x22"),
        (binary(0x21, 0x41, V4), "there is no address family and protocol 0x41"),
        (binary(0x21, 0x13, V4), "there is no address family and protocol 0x13"),
        (binary(0x21, 0x11, V4[:-1]), "expected 12 bytes of addresses, got 11"),
        (binary(0x21, 0x21, V4), "expected 36 bytes of addresses, got 12"),
        (binary(0x21, 0x31, V6), "expected 216 bytes of addresses, got 36"),
        (binary(0x21, 0x11, size=MAX_HEAD - 15), f"a head has at most {MAX_HEAD} bytes, got {MAX_HEAD + 1}"),
        (binary(0x20, 0x00, size=65535), "a head has at most"),
    ],
)
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_what_is_no_head(data: bytes, message: str, size: int) -> None:
    with pytest.raises(ProxyHeadError, match=message) as raised:
        read_in_pieces(data, size)
    assert str(raised.value).isprintable()


@given(st.binary(max_size=400), st.sampled_from([b"", b"PROXY ", SIGNATURE, SIGNATURE + b"\x21\x11\x00\x20"]))
def test_any_bytes(data: bytes, begin: bytes) -> None:
    for size in (1, 1 << 20):
        message = ""
        try:
            read_in_pieces(begin + data, size)
        except ProxyHeadError as error:
            message = str(error)
        assert not message or message.isprintable()
