"""The values of --bind."""

import pytest

from atlas.server.sockets.bind_address import DescriptorAddress, TCPAddress, UnixAddress, parse_bind_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8000", TCPAddress("127.0.0.1", 8000)),
        ("localhost:0", TCPAddress("localhost", 0)),
        ("[::1]:65535", TCPAddress("::1", 65535)),
        ("[fe80::1%eth0]:80", TCPAddress("fe80::1%eth0", 80)),
        (":80", TCPAddress("", 80)),
        ("*:80", TCPAddress("", 80)),
        ("unix:/run/a.sock", UnixAddress("/run/a.sock")),
        ("unix:a:1", UnixAddress("a:1")),
        ("fd://3", DescriptorAddress(3)),
        ("fd://web", DescriptorAddress("web")),
    ],
)
def test_addresses(text: str, address: object) -> None:
    assert parse_bind_address(text) == address


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("127.0.0.1", "a port is missing"),
        ("", "a port is missing"),
        ("[::1]", "a port is missing"),
        ("::1:80", "an IPv6 address stands in brackets"),
        ("http://a:80", "an address has no scheme"),
        ("a:80:", "an IPv6 address stands in brackets"),
        ("a:http", "'http' is no port"),
        ("a:65536", "a port is at most 65535"),
        ("a b:80", "'a b' is no host"),
        ("unix:", "a path is missing"),
        ("fd://", "a descriptor is missing"),
    ],
)
def test_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        parse_bind_address(text)
