"""Clients of redis-py: one for each event loop, because a connection belongs to the loop that opened it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from atlas.errors import StartupError

__all__ = ["Client", "Clients"]

Client: TypeAlias = Redis


class Clients:
    """The clients of a Redis server, by event loop.

    :param url: a URL (``redis://``, ``rediss://`` for TLS, ``unix://``), or a function that returns a new client of
        ``redis.asyncio``, such as one of Sentinel.
    :param timeout: seconds to wait for a connection, and for an answer.
    :param max_connections: maximum number of connections of a loop; what needs another one waits for ``timeout``.
    :param options: further options of ``redis.asyncio.Connection``.
    :raises StartupError: for a wrong URL or option.
    """

    def __init__(
        self, url: str | Callable[[], Client], *, timeout: float, max_connections: int, options: dict[str, Any]
    ) -> None:
        self._url = url
        self._options = {
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            # Once more at once: the server may have closed a connection that was idle. A request does not wait longer.
            "retry": Retry(NoBackoff(), 1),
            **options,
            "timeout": timeout,
            "max_connections": max_connections,
        }
        if options.get("decode_responses"):
            raise StartupError("Redis: decode_responses: a store keeps bytes, which are not text")
        self._by_loop: dict[asyncio.AbstractEventLoop, Client] = {}
        if isinstance(url, str):
            try:
                _check_database(url)
                self._connect(url)
            except (ValueError, TypeError) as error:
                raise StartupError(f"Redis: {error}: got {_without_password(url)}") from None
        elif not callable(url):
            raise StartupError(f"Redis: expected a URL or a function that returns a client, got {url!r}")

    def _connect(self, url: str) -> Client:
        return Redis.from_pool(BlockingConnectionPool.from_url(url, **self._options))

    def current(self) -> Client:
        """Return the client of the running loop, which is made at the first call.

        :raises RuntimeError: if no loop is running.
        """
        loop = asyncio.get_running_loop()
        client = self._by_loop.get(loop)
        if client is None:
            for each in [each for each in list(self._by_loop) if each.is_closed()]:
                self._by_loop.pop(each, None)
            client = self._connect(self._url) if isinstance(self._url, str) else self._url()
            self._by_loop[loop] = client
        return client

    async def aclose(self) -> None:
        """Close the client of the running loop. The next call of :meth:`current` makes another one."""
        client = self._by_loop.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()


def _check_database(url: str) -> None:
    """Check the number of the database: redis-py (8.1) takes 0 for a path that is not a number."""
    parts = urlsplit(url)
    database = parts.path.strip("/")
    if parts.scheme in ("redis", "rediss") and database and not (database.isascii() and database.isdigit()):
        raise ValueError("expected the number of a database as the path")


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return repr(f"{scheme}://…@{rest.rpartition('@')[2]}" if "@" in rest else url)
