"""Accepts connections on listening sockets: all that wait in one turn of the loop, and as many as may be open.

The loop's own servers are not used. uvloop's accepts one connection per turn, so that busy connections keep new ones
waiting, and neither loop's can stop at a limit: what is accepted beyond it needs descriptors that may not be there.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import ssl
import time
from collections.abc import Callable, Coroutine, Sequence
from contextvars import copy_context
from typing import Any, Protocol

from atlas._speedups.buffers.connection_set import accept_connection
from atlas.server.sockets.proxy_reader import ProxyHeadReader
from atlas.server.workers.worker_table import Heartbeat, WorkerEntry

__all__ = ["Acceptor"]

_logger = logging.getLogger("atlas.server")

_BURST = 64  # connections that are accepted in one turn, per socket
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_RETRY_SECONDS = 0.25  # until another attempt, if there was no place, no descriptor or no memory
_WARNING_INTERVAL = 60.0  # seconds between two warnings about the connection limit
_TLS_SHUTDOWN_TIMEOUT = 2.0  # seconds that a client has to close after the server has (close_notify, RFC 8446, 6.1)
_LEAVE_SECONDS = 0.003  # that another worker has to accept a connection, this many times
_LEAVE_TIMES = 8
_ALLOWED = 8  # connections that are accepted then
_FINISH_TIMEOUT = 2.0  # seconds that a stop waits for TLS handshakes
_SPARED_SECONDS = 1.0  # that a handshake has when other connections wait for a place
_DROPPED_SHARE = 64  # one in so many handshakes is given up at a time


class Connections(Protocol):
    """What is accepted into: a :class:`atlas._speedups.buffers.connection_set.ConnectionSet`."""

    @property
    def open(self) -> int:
        """How many connections are open."""

    @property
    def full(self) -> bool:
        """Whether as many connections are open as allowed."""

    def make_room(self) -> int:
        """Close connections that are idle; return how many."""


class Accepted(Protocol):
    """What the factory makes: a :class:`atlas._speedups.buffers.connection.Connection`."""

    def use_proxied(self, client: Any, server: Any, secure: bool) -> None:
        """Tell what a proxy says of the connection; called before it is made."""

    def handshake_failed(self, timed_out: bool = False) -> None:
        """Tell that the connection will never be made; ``timed_out``: because its TLS handshake took too long."""


class Acceptor:
    """Accepts connections on sockets. All methods are called on the event loop.

    While the connections are full, those that wait stay in the queue of the kernel (``--backlog``): no client is
    refused, and the process does not reach its descriptor limit. Idle connections are closed to make room, or where
    none is, the TLS handshakes that have taken longest.

    :param sockets: bound and listening sockets. They stay the caller's to close.
    :param connections: the connections there are.
    :param protocol_factory: makes the protocol of a connection, which has the methods of ``asyncio.BufferedProtocol``.
    :param tls: the context for new connections; None, the default, for connections without TLS.
    :param handshake_timeout: seconds that a TLS handshake may take.
    :param proxy_heads: reads what a proxy says of a connection before anything else; None, the default: none does.
    :param entry: the entry of this worker process, if there are several: one that has more connections than another one
        lets that one accept.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        connections: Connections,
        protocol_factory: Callable[[], Any],
        tls: ssl.SSLContext | None = None,
        handshake_timeout: float = 10.0,
        proxy_heads: ProxyHeadReader | None = None,
        entry: WorkerEntry | None = None,
    ) -> None:
        self._sockets = sockets
        self._connections = connections
        self._protocol_factory = protocol_factory
        self._options: dict[str, Any] = {}
        self._handshake_timeout = handshake_timeout
        self._proxy_heads = proxy_heads
        self._entry = entry
        self._heartbeat: Heartbeat | None = None
        self._left = 0  # how often the connections that wait were left to other workers
        self._allowed = 0  # connections that are accepted whatever other workers have
        if tls is not None:
            self.use_tls(tls)
        self._loop = asyncio.get_running_loop()
        self._watched: list[socket.socket] = []
        self._accepting = False
        self._connecting: dict[_Connecting, float] = {}  # and when it was accepted, the first one first
        self._all_connected: asyncio.Future[None] | None = None
        self._next_warning = 0.0
        self._retry: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Start to accept connections."""
        # Duplicates, because a loop calls one function per descriptor, and the caller may use the sockets elsewhere.
        self._watched = [_ListeningSocket(sock) for sock in self._sockets]
        for sock in self._watched:
            sock.setblocking(False)  # those of a caller may be blocking
        if self._entry is not None:
            self._heartbeat = Heartbeat(self._entry, lambda: self._connections.open)
        self.resume()

    def resume(self) -> None:
        """Accept connections again, if accepting was paused because there were too many."""
        self._cancel_retry()
        if not self._accepting and self._watched:
            self._accepting = True
            for sock in self._watched:
                self._loop.add_reader(sock, self._accept_waiting, sock)

    def use_tls(self, context: ssl.SSLContext) -> None:
        """Use this context for the connections that are accepted from now on."""
        self._options = {
            "ssl": context,
            "ssl_handshake_timeout": self._handshake_timeout,
            "ssl_shutdown_timeout": _TLS_SHUTDOWN_TIMEOUT,
        }

    async def finish(self) -> None:
        """Accept what waits, and then nothing more. Return when the protocols of all accepted connections are made.

        A TLS handshake that does not end soon is given up.
        """
        self._end_heartbeat()
        if self._accepting:
            for sock in self._watched:
                for _ in range(socket.SOMAXCONN):  # under a flood the queue would never be empty
                    if self._connections.full or not self._accept(sock):
                        break
        self.close()
        if self._connecting:
            self._all_connected = self._loop.create_future()
            await asyncio.wait([self._all_connected], timeout=_FINISH_TIMEOUT)
            for connecting in tuple(self._connecting):
                connecting.cancel()

    def close(self) -> None:
        """Stop accepting for good, immediately."""
        self._pause()
        self._end_heartbeat()
        watched, self._watched = self._watched, []
        for sock in watched:
            sock.close()

    def _end_heartbeat(self) -> None:
        """The other workers do not count this one any more, nor does it count them."""
        self._entry = None
        if self._heartbeat is not None:
            self._heartbeat.close()
            self._heartbeat = None

    def _cancel_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _pause(self) -> None:
        self._cancel_retry()
        if self._accepting:
            self._accepting = False
            for sock in self._watched:
                self._loop.remove_reader(sock)

    def _accept_waiting(self, sock: socket.socket) -> None:
        allowed, self._allowed = self._allowed, 0
        for number in range(_BURST):
            if self._connections.full:
                self._wait_for_room("the limit of open connections is reached (--limit-connections)")
                return
            if (
                number >= allowed
                and self._entry is not None
                and self._entry.has_more_than_another(self._connections.open)
            ):
                self._leave_to_others()
                return
            self._left = 0
            if not self._accept(sock):
                return

    def _leave_to_others(self) -> None:
        """Let another worker accept what waits. If it has not done so after some times, it is busy: accept here."""
        self._pause()
        self._left += 1
        if self._left == _LEAVE_TIMES:
            self._left, self._allowed = 0, _ALLOWED
        self._retry = self._loop.call_later(_LEAVE_SECONDS, self.resume)

    def _wait_for_room(self, why: str) -> None:
        """Pause until a connection closes, which calls :meth:`resume`, or for a moment: one may become idle."""
        self._pause()
        closed = self._connections.make_room() or self._drop_handshakes()
        self._retry = self._loop.call_later(_RETRY_SECONDS, self.resume)
        now = time.monotonic()
        if now >= self._next_warning:
            self._next_warning = now + _WARNING_INTERVAL
            what = "idle connections are closed" if closed else "new connections wait"
            _logger.warning("%s: %s", why, what)

    def _drop_handshakes(self) -> int:
        """Give up the TLS handshakes that have taken longest, as a silent client does; return how many."""
        latest = time.monotonic() - _SPARED_SECONDS
        longest = list(self._connecting.items())[: max(1, len(self._connecting) // _DROPPED_SHARE)]
        dropped = [connecting for connecting, began in longest if began <= latest]
        for connecting in dropped:
            connecting.cancel()
        return len(dropped)

    def _accept(self, sock: socket.socket) -> bool:
        """Accept one connection; return whether there may be more."""
        descriptor = accept_connection(sock.fileno())
        if descriptor < 0:
            return self._not_accepted(-descriptor)
        accepted = _AcceptedSocket(sock, descriptor)
        protocol = self._protocol_factory()  # it counts as open from here
        if self._entry is not None:
            self._entry.accepted(self._connections.open)
        coroutine: Coroutine[Any, Any, object]
        if self._proxy_heads is None:
            coroutine = self._loop.connect_accepted_socket(lambda: protocol, accepted, **self._options)
        else:
            coroutine = self._connect_proxied(self._proxy_heads, accepted, protocol)
        connecting = _Connecting(coroutine, accepted, protocol, self._connected)
        self._connecting[connecting] = time.monotonic()
        copy_context().run(connecting.step)
        return True

    async def _connect_proxied(self, heads: ProxyHeadReader, accepted: socket.socket, protocol: Any) -> None:
        head = await heads.read(accepted)
        if not head.is_local:
            protocol.use_proxied(head.client, head.server, head.secure)
        await self._loop.connect_accepted_socket(lambda: protocol, accepted, **self._options)

    def _not_accepted(self, number: int) -> bool:
        """Return whether there may be more connections after this errno."""
        if number in (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR):
            return False
        if number not in _EXHAUSTED:
            return True  # the client has left meanwhile (ECONNABORTED), or a network error of its own
        self._wait_for_room(f"cannot accept connections: {os.strerror(number)}")
        return False

    def _connected(self, connecting: _Connecting) -> None:
        del self._connecting[connecting]
        if self._all_connected is not None and not self._connecting and not self._all_connected.done():
            self._all_connected.set_result(None)


class _ListeningSocket(socket.socket):
    """A duplicate of a socket that listens. Its family and type are looked up once.

    A ``socket.socket`` looks them up in an Enum whenever they are read, which the loops do for each connection.
    """

    __slots__ = ("family", "type")

    def __init__(self, sock: socket.socket) -> None:
        with sock.dup() as duplicate:
            super().__init__(sock.family, sock.type, sock.proto, duplicate.detach())
        self.family, self.type = sock.family, sock.type  # type: ignore[misc]  # of the slots


class _AcceptedSocket(socket.socket):
    """The socket of a connection, of the family and type of the socket that listened."""

    __slots__ = ("family", "type")

    def __init__(self, listening: socket.socket, descriptor: int) -> None:
        super().__init__(listening.family, listening.type, listening.proto, descriptor)
        self.family, self.type = listening.family, listening.type  # type: ignore[misc]  # of the slots
        self.setblocking(False)  # it is so, which this object does not know


class _Connecting:
    """An accepted connection whose transport is being made, by a coroutine that waits for futures only.

    It does not run in a task, which would cost more instructions than the transport does.

    :param coroutine: the result of ``connect_accepted_socket``, or a coroutine that ends with it.
    :param accepted: the socket of the connection.
    :param protocol: its protocol.
    :param on_end: called with this object when the coroutine has ended.
    """

    __slots__ = ("_accepted", "_coroutine", "_on_end", "_protocol", "_waits_for")

    def __init__(
        self,
        coroutine: Coroutine[asyncio.Future[Any], None, object],
        accepted: socket.socket,
        protocol: Accepted,
        on_end: Callable[[_Connecting], None],
    ) -> None:
        self._coroutine = coroutine
        self._accepted = accepted
        self._protocol = protocol
        self._on_end = on_end

    def step(self, _waited_for: object = None) -> None:
        """Run the coroutine until it waits for a future, which calls this method again, or until it ends."""
        try:
            self._waits_for = self._coroutine.send(None)
        except StopIteration:
            self._on_end(self)
        except (Exception, asyncio.CancelledError) as error:
            self._fail(error)
        else:
            self._waits_for.add_done_callback(self.step)

    def cancel(self) -> None:
        """Cancel the future that the coroutine waits for, as a task does."""
        self._waits_for.cancel()

    def _fail(self, error: BaseException) -> None:
        self._accepted.close()
        # Both event loops raise it where a TLS handshake takes too long.
        self._protocol.handshake_failed(timed_out=isinstance(error, ConnectionAbortedError))
        if not isinstance(error, asyncio.CancelledError):
            _logger.debug("an accepted connection was lost: %s", error)
        self._on_end(self)
