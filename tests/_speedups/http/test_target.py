"""The request line against RFC 9112, section 3 and RFC 3986, section 3.2, both written once more as patterns."""

import ipaddress
import re
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from atlas.errors import ProtocolError
from tests._speedups.for_each import for_each
from tests.compiled import heads as target

# ------------------------------------------------------------------------------------------------------------- hosts

REG_NAME = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*")
PORT = rb"(?::[0-9]{0,5})?"
LITERAL = re.compile(rb"\[([0-9A-Fa-f:.]+)\]" + PORT)
FUTURE = re.compile(rb"\[[vV][0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+\]" + PORT)
NAME_AND_PORT = re.compile(REG_NAME.pattern + PORT)


def is_host(data: bytes) -> bool:
    """host[:port]; a port has at most five digits."""
    if not data.startswith(b"["):
        return bool(NAME_AND_PORT.fullmatch(data))
    if FUTURE.fullmatch(data):
        return True
    literal = LITERAL.fullmatch(data)
    if literal is None:
        return False
    try:
        ipaddress.IPv6Address(literal[1].decode())
    except ValueError:
        return False
    return True


@for_each(range(256))
def test_every_byte_in_a_host_name(number: int) -> None:
    for data in (bytes([number]), b"a%c" % number, b"%cz" % number, b"a%cz" % number):
        if not data.startswith(b"["):
            assert target.host(data) is is_host(data), data


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"a", b"example.org", b"a:80", b"a:", b":80", b":", b"127.0.0.1:8000", b"a:65535", b"a_b", b"xn--a"),
        *(b"%41", b"%zz", b"%4", b"%", b"a%2", b"%4g", b"%00", b"a:8a", b"a:-1", b"a:+1", b"a: 1", b"a:123456"),
        *(
            b"a b",
            b"a/b",
            b"a?b",
            b"a#b",
            b"u@a",
            b"a\\b",
            b"a\x00",
            b"a\xff",
            b"a,b",
            b"a:80:90",
            b"a;b=c",
            b"a|b",
            b"a^",
        ),
        *(
            b"[::1]",
            b"[::1]:80",
            b"[::1]:",
            b"[1:2:3:4:5:6:7:8]",
            b"[::ffff:10.0.0.1]",
            b"[FE80::1]",
            b"[::1]x",
            b"[::1",
        ),
        *(b"[]", b"[:]", b"[::1]:8a", b"[::g]", b"[::1%25eth0]", b"::1", b"[", b"]", b"[[::1]]", b"[::1]:123456"),
        *(
            b"[v1.%b]" % (b"a" * 66),
            b"[v123456789abcdef.%b]:80" % (b"~" * 500),
            b"[v.a]",
            b"[v1.]",
            b"[vg.a]",
            b"[v1a]",
        ),
        *(b"[v1.a:b]", b"[vF.x]:80", b"[V1.(a)]", b"[v1.a%20]", b"[v1.a]b", b"[w1.a]"),
    ],
)
def test_hosts_of_requests(data: bytes) -> None:
    assert target.host(data) is is_host(data)


@given(st.text("aZ09.-_~!$&'()*+,;=%:[]@/ \\", max_size=12).map(str.encode))
@example(b"a%4")
@example(b"%41:1")
def test_any_host_name_is_judged_as_the_grammar_judges_it(data: bytes) -> None:
    if not data.startswith(b"["):
        assert target.host(data) is is_host(data)


@given(st.ip_addresses(v=6), st.sampled_from(["", ":", ":1", ":65535"]))
def test_every_ipv6_address_is_a_host(address: ipaddress.IPv6Address, port: str) -> None:
    assert target.host(f"[{address}]{port}".encode())
    assert target.host(f"[{address.exploded.upper()}]{port}".encode())


# ------------------------------------------------------------------------------------------------------------- paths


@given(st.text("aZ/%0189cCeEfF.~+?&", max_size=30))
@example("/%E2%82%AC")
@example("/%e2%82%ac/%c3%a9")
@example("/%E2%82")
@example("/%ff%FE")
@example("/%C0%80")
@example("/%ED%A0%80")
@example("/%F4%90%80%80")
@example("%")
@example("%%%")
@example("%4")
@example("%4%31")
@example("/%00%0D%0A%2F")
def test_a_path_is_decoded_as_the_standard_library_decodes_it(text: str) -> None:
    assert target.path(text.encode()) == unquote(text, errors="replace")


@for_each(range(256))
def test_every_escaped_byte(number: int) -> None:
    expected = bytes([number]).decode("utf-8", "replace")
    assert target.path(b"/%%%02x!" % number) == f"/{expected}!"
    assert target.path(b"/%%%02X!" % number) == f"/{expected}!"


@given(st.text(max_size=20))
def test_any_text_comes_back(text: str) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))
    assert target.path(encoded.encode()) == text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def test_a_plus_is_a_plus() -> None:
    assert target.path(b"/a+b%2B") == "/a+b+"


# ----------------------------------------------------------------------------------------------------- request lines

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "QUERY", "PROPFIND", "M-SEARCH", "LINK"]


def refused(line: bytes) -> int:
    with pytest.raises(ProtocolError) as caught:
        target.request_line(line)
    return caught.value.status


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        (b"GET / HTTP/1.1", (b"GET", b"/", b"/", b"", False)),
        (b"GET / HTTP/1.0", (b"GET", b"/", b"/", b"", True)),
        (b"GET /a/b?c=d&e HTTP/1.1", (b"GET", b"/a/b?c=d&e", b"/a/b", b"c=d&e", False)),
        (b"GET /? HTTP/1.1", (b"GET", b"/?", b"/", b"", False)),
        (b"GET /a?b?c HTTP/1.1", (b"GET", b"/a?b?c", b"/a", b"b?c", False)),
        (b"GET //a//b HTTP/1.1", (b"GET", b"//a//b", b"//a//b", b"", False)),
        (b"GET /http://x/ HTTP/1.1", (b"GET", b"/http://x/", b"/http://x/", b"", False)),
        (b"OPTIONS * HTTP/1.1", (b"OPTIONS", b"*", b"*", b"", False)),
        (b"GET http://a HTTP/1.1", (b"GET", b"http://a", b"/", b"", False)),
        (b"GET http://a/ HTTP/1.1", (b"GET", b"http://a/", b"/", b"", False)),
        (b"GET http://a?q HTTP/1.1", (b"GET", b"http://a?q", b"/", b"q", False)),
        (b"GET HTTPS://a:8/b?c HTTP/1.1", (b"GET", b"HTTPS://a:8/b?c", b"/b", b"c", False)),
        (b"GET http://[::1]:8/b@c HTTP/1.1", (b"GET", b"http://[::1]:8/b@c", b"/b@c", b"", False)),
        (b"GET / HTTP/1.9", (b"GET", b"/", b"/", b"", False)),
    ],
)
def test_the_parts_of_a_request_line(line: bytes, parts: tuple[object, ...]) -> None:
    assert target.request_line(line) == parts


@pytest.mark.parametrize("method", METHODS)
def test_the_methods_that_are_known(method: str) -> None:
    assert target.request_line(f"{method} / HTTP/1.1".encode())[0] == method.encode()


@pytest.mark.parametrize("method", [b"CONNECT", b"get", b"Get", b"GETT", b"GE", b"BREW", b"PRI", b"G\x27T"])
def test_another_method_is_not_implemented(method: bytes) -> None:
    assert refused(method + b" / HTTP/1.1") == 501


@pytest.mark.parametrize("line", [b"CONNECT a:80 HTTP/1.1", b"CONNECT [::1]:443 HTTP/1.1", b"CONNECT / HTTP/1.0"])
def test_connect_is_not_implemented_whatever_follows(line: bytes) -> None:
    assert refused(line) == 501


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b" ", b"GET", b"GET ", b" / HTTP/1.1", b"GET\t/ HTTP/1.1", b"G(T / HTTP/1.1", b"\x00GET / HTTP/1.1"),
        *(
            b"GET /",
            b"GET / ",
            b"GET  HTTP/1.1",
            b"GET HTTP/1.1",
            b"GET  / HTTP/1.1",
            b"GET /  HTTP/1.1",
            b"GET / HTTP/1.1 ",
        ),
        *(
            b"GET / http/1.1",
            b"GET / HTTP/11",
            b"GET / HTTP/1.",
            b"GET / HTTP/1.10",
            b"GET / HTTP/a.1",
            b"GET / HTTP/1.x",
        ),
        *(
            b"GET / HTTP 1.1",
            b"GET / HTP/1.1",
            b"GET / RTSP/1.0",
            b"GET /HTTP/1.1",
            b"GET / HTTP/0.9",
            b"GET / HTTP/0.1",
        ),
        *(b"GET a HTTP/1.1", b"GET * HTTP/1.1", b"OPTIONS ** HTTP/1.1", b"OPTIONS *?a HTTP/1.1", b"GET ?a HTTP/1.1"),
        *(b"GET ftp://a/ HTTP/1.1", b"GET http:/a HTTP/1.1", b"GET http:a HTTP/1.1", b"GET http:// HTTP/1.1"),
        *(
            b"GET http:///a HTTP/1.1",
            b"GET http://?a HTTP/1.1",
            b"GET http://:80/ HTTP/1.1",
            b"GET http://u@a/ HTTP/1.1",
        ),
        *(
            b"GET http://a:b/ HTTP/1.1",
            b"GET http://a:999999/ HTTP/1.1",
            b"GET http://a\\b/ HTTP/1.1",
            b"GET ://a HTTP/1.1",
        ),
        *(b"GET /#a HTTP/1.1", b"GET /?a#b HTTP/1.1", b"GET http://a#b HTTP/1.1", b"GET /a b HTTP/1.1"),
    ],
)
def test_a_line_that_is_none_is_refused(line: bytes) -> None:
    assert refused(line) == 400


@pytest.mark.parametrize("version", [b"2.0", b"2.1", b"3.0", b"9.9"])
def test_another_major_version_is_not_supported(version: bytes) -> None:
    assert refused(b"GET / HTTP/" + version) == 505


@for_each(range(256))
def test_every_byte_in_a_target(number: int) -> None:
    """RFC 9112, section 3.2: what stands in a target is visible ASCII; a fragment is no part of it."""
    for line in (b"GET /a%cz HTTP/1.1" % number, b"GET /?a%cz HTTP/1.1" % number):
        if 33 <= number < 127 and number != ord("#"):
            assert target.request_line(line)[1] == line[4:-9]
        else:
            assert refused(line) == 400


@pytest.mark.parametrize("function", [target.host, target.path, target.request_line])
@pytest.mark.parametrize("wrong", [None, "text", bytearray(b"/")])
def test_only_bytes_are_read(function: object, wrong: object) -> None:
    with pytest.raises(TypeError):
        function(wrong)  # type: ignore[operator]
