import gzip
import zlib

import pytest

from atlas.testing.decoding import decoder_for

TEXT = b"the same words again and again and again " * 20


def bare(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


@pytest.mark.parametrize(
    ("codings", "body"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", bare(TEXT)),
        ("deflate, gzip", gzip.compress(zlib.compress(TEXT))),
    ],
    # Not the bytes: those of gzip contain the time, and each process of a run has to collect the same tests.
    ids=["none", "identity", "gzip", "deflate", "deflate without zlib's head", "deflate, then gzip"],
)
def test_codings(codings: str, body: bytes) -> None:
    decode = decoder_for(codings)
    assert decode(body) == TEXT
    decode = decoder_for(codings)
    assert b"".join(decode(body[at : at + 7]) for at in range(0, len(body), 7)) == TEXT


def test_brotli() -> None:
    brotli = pytest.importorskip("brotli")
    assert decoder_for("br")(brotli.compress(TEXT)) == TEXT


def test_zstandard() -> None:
    zstandard = pytest.importorskip("zstandard")
    assert decoder_for("zstd")(zstandard.compress(TEXT)) == TEXT


def test_an_unknown_coding() -> None:
    with pytest.raises(ValueError, match="content-encoding 'rot13' is unknown"):
        decoder_for("rot13")


def test_a_package_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "brotli", None)
    with pytest.raises(ValueError, match="the package 'brotli' is not installed"):
        decoder_for("br")
