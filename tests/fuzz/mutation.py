"""A small coverage-guided fuzzer, for where there is no atheris: keep what reaches something new, and hurt it again."""

from __future__ import annotations

import ctypes
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

PIECES = [
    b"\r\n", b"\r", b"\n", b"\0", b" ", b"\t", b":", b"\r\n\r\n", b"\xff", b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 3\r\n", b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"HTTP/1.0", b"HTTP/1.1",
    b"0\r\n\r\n", b"5\r\nhello\r\n", b"Host: b\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"%", b"#", b"http://", b";",
]  # fmt: skip


def mutate(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """*data*, changed in one to five places; *other* lends pieces."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(changed) + 1)
        end = min(len(changed), at + chance.randint(1, 24))
        match chance.randrange(6):
            case 0:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                changed[at:at] = chance.choice(PIECES)
            case 2:
                del changed[at:end]
            case 3:
                changed[at:at] = changed[at:end] * chance.randint(1, 4)
            case 4:
                start = chance.randrange(len(other) + 1)
                changed[at:end] = other[start : start + chance.randint(1, 80)]
            case 5 if at < len(changed):
                changed[at] ^= 1 << chance.randrange(8)
    return bytes(changed[:4096])


def fuzz(run: Callable[[bytes], Any], cells: Any, corpus: Sequence[bytes], seconds: float, seed: int) -> list[bytes]:
    """Feed mutations of *corpus* to *run* for *seconds*; the inputs that reached something new.

    :param cells: the array of counters that the target fills.
    """
    chance = random.Random(seed)
    seen: set[tuple[int, int]] = set()
    kept: list[bytes] = []
    queue = list(corpus)
    until = time.monotonic() + seconds
    while queue or time.monotonic() < until:
        if queue:
            data = queue.pop()
        else:
            data = mutate(chance.choice(kept), chance.choice(kept), chance)
        ctypes.memset(cells, 0, ctypes.sizeof(cells))
        run(data)
        raw = bytes(cells)
        reached = {(at, raw[at].bit_length()) for at in range(len(raw)) if raw[at]} if any(raw) else set()
        if not kept or not reached <= seen:
            seen |= reached
            kept.append(data)
    return kept[len(corpus) :]
