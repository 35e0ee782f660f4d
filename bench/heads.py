"""Heads and bodies of requests."""

from __future__ import annotations

from bench.side_by_side.scenarios import BROWSER_HEADERS

THREE = (("Host", "127.0.0.1:8000"), ("User-Agent", "curl/8.14.1"), ("Accept", "*/*"))
THIRTEEN = (("Host", "127.0.0.1:8000"), *BROWSER_HEADERS)
FORTY = (*THIRTEEN, *((f"X-Extra-{number}", f"value {number}") for number in range(27)))


def request_head(
    fields: tuple[tuple[str, str], ...], line: str = "GET /articles/2026/a-page?from=list HTTP/1.1"
) -> bytes:
    """A request's head with these fields."""
    return "\r\n".join([line, *(f"{name}: {value}" for name, value in fields), "", ""]).encode("ascii")


HEADS = {"3 headers": request_head(THREE), "13 headers": request_head(THIRTEEN)}


def chunked(pieces: int, size: int) -> bytes:
    """A chunked body."""
    return b"%x\r\n%b\r\n" % (size, b"x" * size) * pieces + b"0\r\n\r\n"
