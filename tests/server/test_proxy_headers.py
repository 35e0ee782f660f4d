"""What trusted proxies say of a request: the client behind several hops, and what a client may not claim."""

from typing import Any

import pytest

from atlas.server.configuration.settings import Settings
from atlas.server.proxy_headers import Forwarded, ProxyHeaders, make_proxy_headers

PROXIES = ("10.0.0.0/8", "127.0.0.1/32", "::1/128", "2001:db8::/32")
ALL_FIELDS = ("for", "proto", "host", "port", "prefix")


def read(
    *fields: tuple[str, str], trusted: tuple[str, ...] = PROXIES, names: tuple[str, ...] = ALL_FIELDS
) -> Forwarded | None:
    headers = [(name.encode(), value.encode()) for name, value in fields]
    return ProxyHeaders(trusted, names).read(headers)


def client_of(value: str, **options: Any) -> tuple[str, int] | None:
    result = read(("x-forwarded-for", value), **options)
    assert result is not None
    return result.client


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        (("10.1.2.3", 5), True),
        (("11.1.2.3", 5), False),
        (("::ffff:10.1.2.3", 5), True),  # a dual-stack socket, RFC 4291 section 2.5.5.2
        (("::ffff:11.1.2.3", 5), False),
        (("::1", 5), True),
        (("fe80::1%eth0", 5), False),
        (("testclient", 5), False),
        (None, False),
    ],
)
def test_the_peers_that_are_trusted(peer: Any, trusted: bool) -> None:
    assert ProxyHeaders(PROXIES, ("for",)).trusts(peer) is trusted


def test_unix_sockets_and_every_peer() -> None:
    assert ProxyHeaders(("unix",), ("for",)).trusts(None)
    assert not ProxyHeaders(("unix",), ("for",)).trusts(("127.0.0.1", 1))
    everyone = ProxyHeaders(("*",), ("for",))
    assert everyone.trusts(None)
    assert everyone.trusts(("192.0.2.1", 1))


@pytest.mark.parametrize(
    ("value", "client"),
    [
        ("192.0.2.7", ("192.0.2.7", 0)),
        ("192.0.2.7:4711", ("192.0.2.7", 4711)),
        ("2001:db9::7", ("2001:db9::7", 0)),
        ("[2001:db9::7]", ("2001:db9::7", 0)),
        ("[2001:db9::7]:443", ("2001:db9::7", 443)),
        ("::ffff:192.0.2.7", ("192.0.2.7", 0)),
        ("198.51.100.1, 192.0.2.7", ("192.0.2.7", 0)),  # what is left of the client's address, the client has sent
        ("198.51.100.1, 192.0.2.7, 10.0.0.1,10.9.9.9", ("192.0.2.7", 0)),
        ("10.0.0.1, 10.0.0.2", ("10.0.0.1", 0)),  # proxies only: the request began at the first one
        ("192.0.2.7, ,", ("192.0.2.7", 0)),  # RFC 9110, section 5.6.1.2
    ],
)
def test_the_client_is_the_first_address_from_the_right_that_is_no_proxy(value: str, client: Any) -> None:
    assert client_of(value) == client


@pytest.mark.parametrize(
    "hop", ["unknown", "_hidden", "unix:", "192.0.2.7:port", "192.0.2.7:99999", "[::1", "1.2.3.4.5"]
)
def test_a_hop_without_an_address_ends_the_walk(hop: str) -> None:
    assert client_of(hop) is None
    assert client_of(f"{hop}, 10.0.0.1") == ("10.0.0.1", 0)


def test_every_peer_is_trusted_then_the_leftmost_address_is_the_client() -> None:
    assert client_of("192.0.2.7, 198.51.100.1", trusted=("*",)) == ("192.0.2.7", 0)


def test_a_field_that_comes_twice_is_one_list() -> None:
    result = read(("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "192.0.2.7"))
    assert result is not None
    assert result.client == ("192.0.2.7", 0)


@pytest.mark.parametrize(
    ("proto", "hops", "scheme"),
    [
        ("https", "192.0.2.7", "https"),
        ("HTTPS", "192.0.2.7", "https"),
        ("https", "192.0.2.7, 10.0.0.1", "https"),
        ("https, http", "192.0.2.7, 10.0.0.1", "https"),  # a list as long as that of the addresses
        ("https, http", "198.51.100.1, 192.0.2.7", "http"),  # the first pair was sent by the client
        ("https, http", "192.0.2.7", "http"),  # the last proxy's word, where the lists do not match
        ("gopher", "192.0.2.7", None),
        ("", "192.0.2.7", None),
    ],
)
def test_scheme(proto: str, hops: str, scheme: str | None) -> None:
    result = read(("x-forwarded-for", hops), ("x-forwarded-proto", proto))
    assert result is not None
    assert result.scheme == scheme


@pytest.mark.parametrize(
    ("fields", "host"),
    [
        ({"host": "example.org"}, b"example.org"),
        ({"host": "example.org:8443"}, b"example.org:8443"),
        ({"host": "example.org", "port": "8443"}, b"example.org:8443"),
        ({"host": "example.org:1", "port": "8443"}, b"example.org:1"),
        ({"host": "example.org", "port": "443", "proto": "https"}, b"example.org"),
        ({"host": "example.org", "port": "80"}, b"example.org"),
        ({"host": "example.org", "port": "443"}, b"example.org:443"),
        ({"host": "[2001:db8::1]", "port": "8443"}, b"[2001:db8::1]:8443"),
        ({"host": "example.org", "port": "0"}, b"example.org"),
        ({"host": "example.org", "port": "9" * 5000}, b"example.org"),
        ({"host": "example.org/path"}, None),
        ({"host": "a b"}, None),
        ({"host": ""}, None),
        ({"port": "8443"}, None),
    ],
)
def test_host_and_port(fields: dict[str, str], host: bytes | None) -> None:
    result = read(*((f"x-forwarded-{name}", value) for name, value in fields.items()))
    assert result is not None
    assert result.host == host


def test_the_host_field_is_replaced() -> None:
    headers = [(b"accept", b"*/*"), (b"host", b"internal:8000"), (b"x-forwarded-host", b"example.org")]
    result = ProxyHeaders(("*",), ("host",)).read(headers)
    assert result is not None
    assert result.with_host(headers) == [
        (b"host", b"example.org"),
        (b"accept", b"*/*"),
        (b"x-forwarded-host", b"example.org"),
    ]


@pytest.mark.parametrize(
    ("value", "prefix"),
    [
        *(("/shop", "/shop"), ("/shop/", "/shop"), ("/a/b", "/a/b")),
        *((value, None) for value in ("/", "", "shop", "//evil", "/a/../b", "/a?b", "/a b", "/a%2fb")),
    ],
)
def test_prefix(value: str, prefix: str | None) -> None:
    result = read(("x-forwarded-prefix", value))
    assert result is not None
    assert result.prefix == prefix


def test_only_the_fields_of_the_setting_are_read() -> None:
    fields = [("x-forwarded-host", "evil.example"), ("x-forwarded-prefix", "/evil"), ("forwarded", "for=192.0.2.66")]
    assert read(*fields, names=("for", "proto")) is None
    result = read(*fields, ("x-forwarded-for", "192.0.2.7"), names=("for", "proto"))
    assert result == Forwarded(("192.0.2.7", 0))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("for=192.0.2.7", Forwarded(("192.0.2.7", 0))),
        (
            'For="[2001:db9::7]:4711";Proto=https;host=example.org',
            Forwarded(("2001:db9::7", 4711), "https", b"example.org"),
        ),
        ("for=198.51.100.1;proto=http, for=192.0.2.7;proto=https, for=10.0.0.1", Forwarded(("192.0.2.7", 0), "https")),
        ('for="192.0.2.7:80" ; by=203.0.113.43', Forwarded(("192.0.2.7", 80))),
        ("for=unknown;proto=https", Forwarded(None, "https")),
        ("for=_hidden, for=10.0.0.1;proto=https", Forwarded(("10.0.0.1", 0), "https")),
        (r'for="192\.0.2.7"', Forwarded(("192.0.2.7", 0))),
        ("for=192.0.2.7;for=192.0.2.8", Forwarded()),  # each parameter once (section 4)
        ('for="192.0.2.7', Forwarded()),
        ("for=192.0.2.7 proto=https", Forwarded()),
        ("nonsense", Forwarded()),
        # A client cannot hide what the proxy appends.
        ('for="127.0.0.1, for=192.0.2.7;proto=https', Forwarded(("192.0.2.7", 0), "https")),
        ('for="127.0.0.1, for="[2001:db9::7]:4711";proto=https', Forwarded(("2001:db9::7", 4711), "https")),
        ("for=127.0.0.1;, for=192.0.2.7", Forwarded(("192.0.2.7", 0))),
        ("nonsense, for=192.0.2.7", Forwarded(("192.0.2.7", 0))),
        (", for=192.0.2.7", Forwarded(("192.0.2.7", 0))),
        ("for=127.0.0.1;for=127.0.0.1, for=192.0.2.7", Forwarded(("192.0.2.7", 0))),
        ("for=192.0.2.8, nonsense, for=10.0.0.1", Forwarded(("10.0.0.1", 0))),
        ("", Forwarded()),
    ],
)
def test_rfc_7239(value: str, expected: Forwarded) -> None:
    assert read(("forwarded", value), ("x-forwarded-for", "192.0.2.66"), names=("forwarded",)) == expected


def test_a_request_without_the_fields() -> None:
    assert read(("host", "a"), ("accept", "*/*")) is None


def test_results_are_kept_within_bounds() -> None:
    proxies = ProxyHeaders(PROXIES, ("for",))
    first = proxies.read([(b"x-forwarded-for", b"192.0.2.7")])
    assert proxies.read([(b"x-forwarded-for", b"192.0.2.7")]) is first
    for number in range(2000):
        proxies.read([(b"x-forwarded-for", b"192.0.2.7, 192.0.2.%d:%d" % (number % 250, number))])
    proxies.read([(b"x-forwarded-for", b"192.0.2.7," * 1000)])
    assert len(proxies._results) <= 512
    assert all(len(key[0][1]) <= 256 for key in proxies._results)


def test_settings() -> None:
    assert make_proxy_headers(Settings(proxy_headers=False)) is None
    assert make_proxy_headers(Settings(forwarded_allow_ips=())) is None
    proxies = make_proxy_headers(Settings())
    assert proxies is not None
    assert proxies.trusts(("127.0.0.1", 1))
    assert proxies.trusts(("::1", 1))
    assert proxies.trusts(None)
    assert not proxies.trusts(("192.0.2.1", 1))
