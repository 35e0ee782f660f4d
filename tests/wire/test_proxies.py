"""What an application sees of a request that a trusted proxy has forwarded, and of one that claims to be forwarded."""

from collections.abc import Callable

import pytest

from .wire_server import WireServer, request_bytes

FIELDS = (b"X-Forwarded-For: 192.0.2.7", b"X-Forwarded-Proto: https")
EVERYTHING = (*FIELDS, b"X-Forwarded-Host: shop.example", b"X-Forwarded-Port: 8443", b"X-Forwarded-Prefix: /shop")


def test_loopback_and_unix_sockets_are_trusted(delivered: WireServer) -> None:
    told = delivered.exchange(request_bytes(*FIELDS)).json()
    assert (told["client"], told["scheme"]) == (["192.0.2.7", 0], "https")
    assert ["host", "a"] in told["headers"]


def test_each_request_of_a_connection_has_its_own(wire: WireServer) -> None:
    with wire.connect() as client:
        client.send(request_bytes(*FIELDS) + request_bytes() + request_bytes(b"X-Forwarded-For: 192.0.2.8"))
        told = [client.response().json() for _ in range(3)]
    assert [each["client"][0] for each in told] == ["192.0.2.7", "127.0.0.1", "192.0.2.8"]
    assert [each["scheme"] for each in told] == ["https", "http", "http"]
    assert told[1]["client"][1] > 0


def test_host_and_prefix_are_ignored_unless_asked_for(wire: WireServer) -> None:
    told = wire.exchange(request_bytes(*EVERYTHING)).json()
    assert ["host", "a"] in told["headers"]
    assert (told["root_path"], told["path"]) == ("", "/")


def test_host_and_prefix(own: Callable[..., WireServer]) -> None:
    wire = own(forwarded_fields=("for", "proto", "host", "port", "prefix"), root_path="/api")
    told = wire.exchange(request_bytes(*EVERYTHING, line=b"GET /a%20b?c HTTP/1.1")).json()
    assert [value for name, value in told["headers"] if name == "host"] == ["shop.example:8443"]
    assert told["root_path"] == "/shop/api"
    assert told["path"] == "/shop/api/a b"
    assert told["raw_path"] == "/shop/api/a%20b"
    assert told["query_string"] == "c"


@pytest.mark.parametrize("settings", [{"forwarded_allow_ips": "10.0.0.0/8"}, {"proxy_headers": False}])
def test_an_untrusted_peer_is_not_believed(own: Callable[..., WireServer], settings: dict[str, object]) -> None:
    told = own(**settings).exchange(request_bytes(*EVERYTHING)).json()
    assert (told["client"][0], told["scheme"], told["root_path"]) == ("127.0.0.1", "http", "")
    assert ["x-forwarded-for", "192.0.2.7"] in told["headers"]  # the fields stay, for an application that reads them


def test_forwarded(own: Callable[..., WireServer]) -> None:
    wire = own(forwarded_fields="forwarded")
    told = wire.exchange(request_bytes(b'Forwarded: for="[2001:db8::7]:4711";proto=https', *FIELDS)).json()
    assert (told["client"], told["scheme"]) == (["2001:db8::7", 4711], "https")
