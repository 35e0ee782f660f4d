"""Reads the head of the PROXY protocol from a connection that was accepted, and nothing behind it.

The head comes before everything else, a TLS handshake too, so that it is read from the socket itself: what is behind it
stays there for the transport that is made then.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable

from atlas.errors import StartupError
from atlas.server.configuration.settings import Settings
from atlas.server.proxy_headers import ProxyHeaders
from atlas.server.sockets.proxy_head import MAX_HEAD, ProxyHead, ProxyHeadError, count_head_bytes, parse_head

__all__ = ["ProxyHeadReader", "make_proxy_head_reader"]

_logger = logging.getLogger("atlas.server")

_LOG_INTERVAL = 60.0  # seconds between two log lines about refused connections
_UNTRUSTED = "it is no trusted proxy (--forwarded-allow-ips)"

_Client = tuple[str, int]


def make_proxy_head_reader(settings: Settings) -> ProxyHeadReader | None:
    """Return the reader that the settings ask for; None if ``proxy_protocol`` is off.

    :raises StartupError: if no proxy is trusted: every connection would be refused.
    """
    if not settings.proxy_protocol:
        return None
    if not settings.forwarded_allow_ips:
        raise StartupError("--proxy-protocol: name the proxies by --forwarded-allow-ips")
    proxies = ProxyHeaders(settings.forwarded_allow_ips, ())
    return ProxyHeadReader(proxies.trusts, settings.timeout_request_head)


class ProxyHeadReader:
    """Reads heads. All methods are called on the event loop.

    :param trusts: returns whether the peer with an address and port, or that of a Unix socket (None), is a proxy.
    :param timeout: seconds in which the head has to come.
    """

    def __init__(self, trusts: Callable[[_Client | None], bool], timeout: float) -> None:
        self._trusts = trusts
        self._timeout = timeout
        self._next_line = 0.0

    async def read(self, sock: socket.socket) -> ProxyHead:
        """Wait for the head of a connection.

        :param sock: its non-blocking socket.
        :raises ProxyHeadError: if the peer is no trusted proxy, or does not send a head in time.
        :raises OSError: if the connection is lost before.
        """
        peer = _peer(sock)
        try:
            if not self._trusts(peer):
                raise ProxyHeadError(_UNTRUSTED)
            return await self._read(sock)
        except ProxyHeadError as error:
            self._log(peer, error)
            raise

    async def _read(self, sock: socket.socket) -> ProxyHead:
        deadline = asyncio.get_running_loop().time() + self._timeout
        received = b""
        while True:
            try:
                peeked = sock.recv(MAX_HEAD, socket.MSG_PEEK)
            except BlockingIOError:
                if not await _wait_readable(sock, deadline):
                    raise _overdue(received) from None
                continue
            if not peeked:
                raise ConnectionResetError("the proxy has closed the connection before its head was complete")
            received += sock.recv(count_head_bytes(received + peeked) - len(received))
            head = parse_head(received)
            if head is not None:
                return head

    def _log(self, peer: _Client | None, error: ProxyHeadError) -> None:
        """Log a refused connection, at most once a minute: a misdirected client repeats it."""
        now = time.monotonic()
        if now >= self._next_line:
            self._next_line = now + _LOG_INTERVAL
            address = f"{peer[0]}:{peer[1]}" if peer else "a Unix socket"
            _logger.warning("connection from %s refused (--proxy-protocol): %s", address, error)


def _overdue(received: bytes) -> ProxyHeadError | ConnectionResetError:
    """A silent connection, such as a check of the port, is no mistake."""
    if received:
        return ProxyHeadError("its head did not come in time (--timeout-request-head)")
    return ConnectionResetError("no head came")


def _peer(sock: socket.socket) -> _Client | None:
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    host, port, *_ = sock.getpeername()
    return host, port


async def _wait_readable(sock: socket.socket, deadline: float) -> bool:
    """Wait until bytes come; return False if none do before the deadline, a time of the event loop."""
    loop = asyncio.get_running_loop()
    readable = loop.create_future()
    loop.add_reader(sock, _resolve, readable, True)
    timer = loop.call_at(deadline, _resolve, readable, False)
    try:
        return bool(await readable)
    finally:
        timer.cancel()
        loop.remove_reader(sock)


def _resolve(future: asyncio.Future[bool], result: bool) -> None:
    if not future.done():
        future.set_result(result)
