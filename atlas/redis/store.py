"""``RedisStore``: sessions, caches and rate limits in Redis."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from atlas.redis.clients import Client, Clients
from atlas.redis.scripts import RELEASE, TAKE
from atlas.web.option_checks import check_number
from atlas.web.stores.store import StoreUnavailable

if TYPE_CHECKING:
    from atlas.web.application import Application

__all__ = ["RedisStore"]

_log = logging.getLogger("atlas.redis")
_LOG_INTERVAL = 10.0  # seconds between two lines about a server that does not answer
_LONGEST = 1e11  # seconds; Redis refuses a time that does not fit in 64 bits of milliseconds since 1970
_BUCKET = "bucket:"  # prefix of the names of buckets


class RedisStore:
    """A store in Redis 5 or newer, which the workers of several machines share: for :class:`~atlas.Sessions`,
    :class:`~atlas.RateLimit` and :class:`~atlas.Cache`.

    There is one pool of connections for each event loop, made at first use. It is closed when an application stops that
    uses the store; other programs call :meth:`aclose`. A server that does not answer is a 503
    (:class:`~atlas.web.stores.store.StoreUnavailable`), and a line in the log.

    :param url: a URL, ``redis://localhost:6379/0`` by default; ``rediss://`` for TLS, ``unix:///path`` for a socket.
        Or a function that returns a new client of ``redis.asyncio``, such as one of Sentinel.
    :param prefix: the beginning of all keys in Redis, ``"atlas:"`` by default. Two applications need two prefixes.
    :param timeout: seconds to wait for a connection and for an answer, 2 by default.
    :param max_connections: maximum number of connections of an event loop, 50 by default.
    :param options: further options of ``redis.asyncio.Connection``: ``password=``, ``ssl_ca_certs=`` ...
    :raises StartupError: for a wrong URL or option.
    :raises ValueError: for a number that is not above zero.
    """

    def __init__(
        self,
        url: str | Callable[[], Client] = "redis://localhost:6379/0",
        *,
        prefix: str = "atlas:",
        timeout: float = 2.0,
        max_connections: int = 50,
        **options: Any,
    ) -> None:
        check_number("RedisStore: max_connections", max_connections, 1)
        if not timeout > 0:
            raise ValueError(f"RedisStore: timeout: expected seconds above 0, got {timeout!r}")
        self._prefix = prefix
        self._clients = Clients(url, timeout=timeout, max_connections=max_connections, options=options)
        self._bound: list[Application] = []
        self._logged_until = 0.0

    def bind(self, application: Application) -> None:
        """Close the connections when an application stops. A middleware that uses the store calls it.

        :param application: the application.
        """
        if not any(each is application for each in self._bound):
            self._bound.append(application)
            application._lifespan.on_shutdown.insert(0, self.aclose)  # called last

    async def get(self, name: str) -> bytes | None:
        """Return the data of an entry.

        :param name: the name.
        :returns: the data; None for an unknown or expired entry.
        """
        async with self._connected() as client:
            data: Any = await client.get(self._key(name))
            return None if data is None else bytes(data)

    async def set(self, name: str, data: bytes, seconds: float) -> None:
        """Save an entry, and replace one of the same name.

        :param name: the name.
        :param data: the data.
        :param seconds: time until the entry expires.
        """
        async with self._connected() as client:
            await client.set(self._key(name), data, px=_milliseconds(seconds))

    async def replace(self, name: str, data: bytes, seconds: float) -> bool:
        """Save an entry if there is one of that name.

        :param name: the name.
        :param data: the data.
        :param seconds: time until the entry expires.
        :returns: False for an unknown or expired entry, which is not saved.
        """
        async with self._connected() as client:
            return bool(await client.set(self._key(name), data, px=_milliseconds(seconds), xx=True))

    async def add(self, name: str, data: bytes, seconds: float) -> bool:
        """Save an entry if there is none of that name.

        :param name: the name.
        :param data: the data.
        :param seconds: time until the entry expires.
        :returns: False if there is an entry, which stays as it is.
        """
        async with self._connected() as client:
            return bool(await client.set(self._key(name), data, px=_milliseconds(seconds), nx=True))

    async def delete(self, name: str) -> None:
        """Delete an entry; an unknown name is ignored.

        :param name: the name.
        """
        async with self._connected() as client:
            await client.delete(self._key(name))

    async def release(self, name: str, data: bytes) -> bool:
        """Delete an entry if it has this data.

        :param name: the name.
        :param data: the data.
        :returns: whether it was deleted.
        """
        async with self._connected() as client:
            return bool(await client.register_script(RELEASE)([self._key(name)], [data]))

    async def touch(self, name: str, seconds: float) -> None:
        """Extend the time of an entry; an unknown or expired entry is ignored.

        :param name: the name.
        :param seconds: time from now until the entry expires.
        """
        async with self._connected() as client:
            await client.pexpire(self._key(name), _milliseconds(seconds))

    async def take(self, name: str, capacity: float, per_second: float) -> float:
        """Take a token from a bucket, see :class:`~atlas.web.stores.token_buckets.BucketStore`.

        The time is that of the Redis server.

        :param name: name of the bucket.
        :param capacity: number of tokens of a full bucket.
        :param per_second: number of tokens that it gains in a second.
        :returns: the number of tokens that are left; negative if there was none.
        """
        async with self._connected() as client:
            left = await client.register_script(TAKE)([self._key(_BUCKET + name)], [repr(capacity), repr(per_second)])
            return float(left)

    async def aclose(self) -> None:
        """Close the connections of the running event loop. A later call opens new ones."""
        await self._clients.aclose()

    def _key(self, name: str) -> bytes:
        return (self._prefix + name).encode("utf-8", "surrogatepass")

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Client]:
        try:
            yield self._clients.current()
        except (RedisConnectionError, RedisTimeoutError, OSError) as error:
            self._log_failure(error)
            raise StoreUnavailable from error
        except ResponseError as error:
            if not str(error).startswith(("LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "MISCONF", "OOM")):
                raise
            self._log_failure(error)
            raise StoreUnavailable from error

    def _log_failure(self, error: Exception) -> None:
        now = time.monotonic()
        if now >= self._logged_until:
            self._logged_until = now + _LOG_INTERVAL
            _log.error("Redis does not answer: %s: %s", type(error).__name__, error)


def _milliseconds(seconds: float) -> int:
    return max(1, round(min(seconds, _LONGEST) * 1000))
