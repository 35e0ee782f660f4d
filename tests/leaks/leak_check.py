"""Serve a lot with the collector off, then count what is left.

Run as a program: ``python leak_check.py --loop uvloop [--full]``. It prints what
has grown, and exits with 1 if anything has.
Cycles that only the collector could free count as leaks: with the collector off they stay.
"""

from __future__ import annotations

import argparse
import gc
import logging
import socket
import struct
import sys
import time
from asyncio import selector_events
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atlas import Server, Settings

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
UPLOAD = b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKS = b"POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
STREAM = b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"
FAIL = b"GET /fail HTTP/1.1\r\nHost: a\r\n\r\n"
BAD = b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"
TOGETHER = 16

PER_TYPE, BLOCKS, RSS = 40, 1000, 4 * 1024 * 1024
"""Noise that is no leak: objects of one type, allocated blocks, bytes. Each workload below is far larger than that."""


PLANTED: list[Any] = []
"""With ``--plant`` the application keeps something of each request here, to show that the check can fail."""


def plant(scope: Any) -> None:
    kept: list[Any] = [dict(scope), bytes(4096)]
    kept.append(kept)
    PLANTED.append(kept)


async def app(scope: Any, receive: Any, send: Any) -> None:
    if PLANTED:
        plant(scope)
    if scope["path"] == "/fail":
        raise RuntimeError("on purpose")
    if scope["path"] == "/upload":
        while (await receive()).get("more_body"):
            pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    if scope["path"] == "/stream":
        for _ in range(200):
            await send({"type": "http.response.body", "body": b"z" * 65536, "more_body": True})
    await send({"type": "http.response.body", "body": b"hello\n\n"})


def connect(address: Any) -> socket.socket:
    peer = socket.create_connection(address, timeout=20)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def request(address: Any, count: int) -> None:
    """*count* requests on one connection, pipelined: without a body, with a body, and with a chunked body."""
    with connect(address) as peer:
        for number in range(0, count, TOGETHER):
            peer.sendall((GET, UPLOAD, CHUNKS, GET)[number // TOGETHER % 4] * TOGETHER)
            read_answers(peer, TOGETHER)


def read_answers(peer: socket.socket, count: int) -> None:
    data = b""
    while data.count(b"hello\n\n") < count:
        piece = peer.recv(65536)
        assert piece, data
        data += piece


def connect_and_close(address: Any, count: int) -> None:
    """Connections that are opened and closed: unused, used once, refused, failed, and in the middle of a head."""
    for number in range(count):
        with connect(address) as peer:
            match number % 5:
                case 0:
                    peer.sendall(GET)
                    read_answers(peer, 1)
                case 1:
                    peer.sendall(BAD)
                    while peer.recv(65536):
                        pass
                case 2 if number % 50 == 2:  # a failure is logged, which takes long
                    peer.sendall(FAIL)
                    peer.recv(65536)
                case 3:
                    peer.sendall(GET[:20])


RESETS = [GET[:20], UPLOAD[:-3], CHUNKS[:-8], STREAM, GET * 40, STREAM + GET, GET]


def reset(address: Any, count: int) -> None:
    """Connections that are reset in the middle of a request or a response."""
    for number in range(count):
        peer = connect(address)
        peer.sendall(RESETS[number % len(RESETS)])
        if RESETS[number % len(RESETS)].startswith(STREAM):
            peer.recv(1000)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()


def rss() -> int:
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * 4096 if statm.exists() else 0


@dataclass
class Census:
    """What lives at one moment."""

    types: Counter[str]
    blocks: int
    rss: int

    @classmethod
    def take(cls) -> Census:
        blocks = sys.getallocatedblocks()
        types = Counter(f"{type(thing).__module__}.{type(thing).__qualname__}" for thing in gc.get_objects())
        return cls(types, blocks, rss())

    def growth_since(self, before: Census) -> list[str]:
        grown = [(name, count - before.types[name]) for name, count in self.types.items()]
        lines = [f"{count} more {name}" for name, count in grown if count > PER_TYPE]
        if self.blocks - before.blocks > BLOCKS:
            lines.append(f"{self.blocks - before.blocks} more allocated blocks")
        if self.rss - before.rss > RSS:
            lines.append(f"{(self.rss - before.rss) / 1048576:.1f} MiB more resident memory")
        return lines


def settled(address: Any, before: Census) -> list[str]:
    """The growth since *before*, once the server has had the time to see the last client leave."""
    until = time.monotonic() + 3
    while True:
        request(address, TOGETHER)
        growth = Census.take().growth_since(before)
        if not growth or time.monotonic() > until:
            return growth
        time.sleep(0.05)


def cut_the_cycles_of_asyncio() -> None:
    """asyncio's transport keeps bound methods of itself to its end: a cycle of its own, that would hide one of ours."""
    transport: Any = selector_events._SelectorSocketTransport  # type: ignore[attr-defined]
    end = transport._call_connection_lost

    def end_and_let_go(self: Any, error: Exception | None) -> None:
        end(self, error)
        for name, value in list(vars(self).items()):
            if getattr(value, "__self__", None) is self:
                setattr(self, name, None)

    transport._call_connection_lost = end_and_let_go


def check(name: str, address: Any, work: Callable[[Any, int], None], count: int) -> list[str]:
    work(address, count)  # warm-up: caches, pools and the allocator's arenas reach the size that this work needs
    time.sleep(0.1)
    request(address, TOGETHER)
    before = Census.take()
    start = time.monotonic()
    work(address, count)
    taken = time.monotonic() - start
    growth = [f"{name}: {line}" for line in settled(address, before)]
    sys.stdout.write(f"{name}: {count} in {taken:.1f} s, {len(growth)} leaks\n")
    return growth


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    parser.add_argument("--full", action="store_true", help="ten times the requests, five times the resets")
    parser.add_argument("--plant", action="store_true", help="leak on purpose")
    options = parser.parse_args()
    requests, connects, resets = (200_000, 5_000, 5_000) if options.full else (20_000, 5_000, 1_000)
    if options.plant:
        requests = 2_000
        plant({})
    settings = Settings(port=0, loop=options.loop, lifespan="off", access_log=False, log_level="critical")
    logging.getLogger("atlas").addHandler(logging.NullHandler())
    logging.getLogger("atlas").propagate = False
    cut_the_cycles_of_asyncio()
    gc.collect()
    gc.disable()
    with Server(app, settings).run_in_thread() as server:
        address = server.sockets[0].getsockname()[:2]
        leaks = check("requests", address, request, requests)
        if options.plant:
            sys.stdout.write("".join(f"{line}\n" for line in leaks))
            return 1 if leaks else 0
        leaks += check("connects", address, connect_and_close, connects)
        leaks += check("resets", address, reset, resets)
    sys.stdout.write("".join(f"{line}\n" for line in leaks))
    return 1 if leaks else 0


if __name__ == "__main__":
    sys.exit(main())
