import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.web.responses import content_codings
from atlas.web.responses.content_codings import CODINGS, choose_coding, make_codings

TEXT = "Grüße aus dem Maschinenraum. ".encode() * 100


def _unzstd(data: bytes) -> bytes:
    zstandard = pytest.importorskip("zstandard")
    return bytes(zstandard.ZstdDecompressor().decompressobj().decompress(data))


def _unbrotli(data: bytes) -> bytes:
    return bytes(pytest.importorskip("brotli").Decompressor().process(data))


READERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: zlib.decompressobj(31).decompress(data),
    "br": _unbrotli,
    "zstd": _unzstd,
}


@pytest.mark.parametrize("name", CODINGS)
def test_complete_bodies(name: str) -> None:
    coding = make_codings([name], {})[name]
    smaller = coding.compress(TEXT)
    assert len(smaller) < len(TEXT) / 10
    assert READERS[name](smaller) == TEXT
    assert coding.compress(TEXT) == smaller  # without a timestamp: entity tags depend on that


@pytest.mark.parametrize("name", CODINGS)
def test_each_chunk_can_be_decoded_at_once(name: str) -> None:
    encoder = make_codings([name], {})[name].encoder()
    sent = b""
    for count in (1, 2, 3):
        sent += encoder.chunk(TEXT)
        assert READERS[name](sent) == TEXT * count
    sent += encoder.end()
    assert READERS[name](sent) == TEXT * 3


@pytest.mark.parametrize("name", CODINGS)
def test_an_empty_stream(name: str) -> None:
    assert READERS[name](make_codings([name], {})[name].encoder().end()) == b""


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        ("gzip", "gzip"),
        ("gzip, br", "br"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, br;q=0.5", "gzip"),
        ("br;q=0, gzip;q=0.001", "gzip"),
        ("GZIP ; Q=0.5", "gzip"),
        ("x-gzip", "gzip"),
        ("*", "zstd"),
        ("zstd;q=0, *;q=0.1", "br"),
        ("gzip;q=0.5, identity;q=0.5", "gzip"),
        ("gzip;q=0.5, identity", None),
        ("deflate", None),
        ("identity", None),
        ("gzip;q=0", None),
        ("gzip;q=2", None),
        ("gzip;q=x", None),
        ("gzip;q=0.1234", None),
        ("*;q=0", None),
        (",;,=", None),
    ],
)
def test_the_preference_of_the_client(accept: str, name: str | None) -> None:
    chosen = choose_coding(accept, make_codings(CODINGS, {}))
    assert (chosen.name if chosen is not None else None) == name


@given(st.text(st.characters(max_codepoint=255)))
def test_any_accept_encoding(accept: str) -> None:
    chosen = choose_coding(accept, make_codings(["gzip"], {}))
    assert chosen is None or chosen.name == "gzip"


def test_the_preference_of_the_server() -> None:
    chosen = choose_coding("gzip, br", make_codings(["gzip", "br"], {}))
    assert chosen is not None
    assert chosen.name == "gzip"


def test_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_codings, "find_spec", lambda name: None)
    assert list(make_codings(None, {})) == ["gzip"]
    with pytest.raises(ValueError, match="'br' needs the package 'brotli'"):
        make_codings(["br"], {})


def test_invalid_options() -> None:
    with pytest.raises(ValueError, match="zstd, br, gzip, got 'deflate'"):
        make_codings(["deflate"], {})
    with pytest.raises(ValueError, match="gzip: expected 1 to 9, got 10"):
        make_codings(["gzip"], {"gzip": 10})
    with pytest.raises(ValueError, match="a level for 'br'"):
        make_codings(["gzip"], {"br": 1})
    with pytest.raises(TypeError, match="gzip: expected a whole number"):
        make_codings(["gzip"], {"gzip": "9"})  # type: ignore[dict-item]
