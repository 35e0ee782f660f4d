"""Rate limits: a token bucket for each client, in memory or in a store that several processes share.

Sources: RFC 6585 4 (429), RFC 9110 10.2.3 (Retry-After), draft-ietf-httpapi-ratelimit-headers (RateLimit and
RateLimit-Policy).
"""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from atlas.web.adapters import any_mode
from atlas.web.exceptions import TooManyRequests
from atlas.web.interfaces import ApplicationInterface
from atlas.web.option_checks import check_number
from atlas.web.requests.request_head import RequestHead
from atlas.web.responses.header_fields import put_field
from atlas.web.responses.response import Response
from atlas.web.stores.store import bind_store, call_store
from atlas.web.stores.token_buckets import BucketStore, TokenBuckets

__all__ = ["RateLimit", "client_network"]

_log = logging.getLogger("atlas.web")
_RATE = re.compile(r"\s*([0-9]+)\s*(?:/|per)\s*(second|minute|hour|day)s?\s*")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
# The first 96 bits of addresses that end in an IPv4 address: RFC 4291 2.5.5.2 (mapped), RFC 6052 2.1 (NAT64).
_WITH_IPV4 = frozenset([0xFFFF, 0x64FF9B << 64])
_RETRY_AFTER = 5.0  # seconds without a call to a store that failed
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_\-.]*")


def client_network(request: RequestHead) -> str:
    """Return the network of the client: an IPv4 address, or the first 64 bits of an IPv6 address.

    An IPv6 client usually has all addresses of such a network. An IPv4 address in an IPv6 one, as a socket for both
    versions reports it (``::ffff:192.0.2.1``), is an IPv4 address; a link-local address counts as a whole.

    :param request: the request.
    :returns: the network; "" if the server does not know the address (a Unix socket without a trusted proxy).
    """
    address = request.ip or ""
    if ":" not in address:
        return address
    try:
        parsed = IPv6Address(address)
    except ValueError:
        return address
    number = int(parsed)
    if number >> 32 in _WITH_IPV4:
        return str(IPv4Address(number & 0xFFFFFFFF))
    if parsed.is_link_local:
        return address
    return ":".join(f"{number >> shift & 0xFFFF:x}" for shift in (112, 96, 80, 64))


class RateLimit:
    """Answers 429 to clients that send more requests than a rate allows.

    Each process has its own buckets: with four worker processes a client may send four times as many requests, unless
    they share a ``store``. While the store does not answer, a process uses its own buckets.

    Behind a proxy, all clients have its address, unless the server trusts the proxy (``--proxy-headers``,
    ``--forwarded-allow-ips``) or ``key`` tells them apart. A line in the log says so once.

    :param rate: requests per ``second``, ``minute``, ``hour`` or ``day``: ``"100/minute"``, ``"5 per second"``.
    :param burst: maximum number of requests at once; None, the default, for the number in ``rate``.
    :param key: a function that takes the request and returns the key of its bucket, or None for no limit. By default
        :func:`client_network`.
    :param store: the buckets of all processes: :class:`atlas.redis.RedisStore`, or another object with ``take``, see
        :class:`~atlas.web.stores.token_buckets.BucketStore`. None, the default, for buckets of the process.
    :param size: maximum number of buckets of the process, 10,000 by default; the least recently used one is dropped.
    :param name: name of the policy in the header fields, ``"default"`` by default. Two limits around one route need two
        names.
    :param clock: returns seconds; must be monotonic; not used by a store.
    :raises TypeError: for a key that is not callable, a store without ``take``, or a number of the wrong type.
    :raises ValueError: for an invalid rate, burst, size or name.
    """

    def __init__(
        self,
        rate: str,
        *,
        burst: int | None = None,
        key: Callable[[RequestHead], str | None] = client_network,
        store: BucketStore | None = None,
        size: int = 10_000,
        name: str = "default",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        count, period = _parse_rate(rate)
        if not _NAME.fullmatch(name):
            raise ValueError(f"RateLimit: name: expected a word, got {name!r}")
        if not callable(key):
            raise TypeError(f"RateLimit: key: expected a function of the request, got {key!r}")
        self._capacity = float(count if burst is None else check_number("RateLimit: burst", burst, 1))
        self._per_second = count / period
        if store is not None and (isinstance(store, type) or not callable(getattr(store, "take", None))):
            raise TypeError(f"RateLimit: store: expected an object with a method take, got {store!r}")
        self._own = TokenBuckets(check_number("RateLimit: size", size, 1), clock=clock)
        self._store = store
        self._store_failed_until = 0.0
        self._key, self._name = key, name
        self._policy = f'"{name}";q={count};w={period}'
        self._prefix = f'"{name}";r='
        self._state_key = f"rate_limit.{name}"
        self._by_address = key is client_network
        #: ``before(request)``: take a token from the bucket of the client. It raises TooManyRequests if the bucket is
        #: empty; ``retry-after`` says when it will have a token. It waits only for a store.
        self.before: Callable[[RequestHead], Awaitable[None] | None]
        self.before = self._take_own if store is None else self._take_shared

    def bind(self, application: ApplicationInterface) -> None:
        """Close the store with the application, if it can be closed.

        :param application: the application.
        """
        bind_store(self._store, application)

    @any_mode(waits=False)
    def _take_own(self, request: RequestHead) -> None:
        key = self._bucket(request)
        if key is not None:
            self._count(request, self._own.take(key, self._capacity, self._per_second))

    @any_mode(waits=True)
    def _take_shared(self, request: RequestHead) -> Awaitable[None] | None:
        key = self._bucket(request)
        return None if key is None else self._take_from_store(request, key)

    async def _take_from_store(self, request: RequestHead, key: str) -> None:
        assert self._store is not None
        tokens = None
        if time.monotonic() >= self._store_failed_until:
            try:
                take = self._store.take
                tokens = await call_store(take, f"{self._name}:{key}", self._capacity, self._per_second)
            except Exception as error:
                self._store_failed_until = time.monotonic() + _RETRY_AFTER
                _log.error(
                    "RateLimit: the store failed; for %d seconds each process uses its own buckets: %s: %s",
                    _RETRY_AFTER, type(error).__name__, error,
                )  # fmt: skip
        self._count(request, self._own.take(key, self._capacity, self._per_second) if tokens is None else tokens)

    def _bucket(self, request: RequestHead) -> str | None:
        key = self._key(request)
        if key is not None and self._by_address:
            self._check_proxy(request)
        return key

    def _count(self, request: RequestHead, tokens: float) -> None:
        if tokens < 0:
            wait = max(1, math.ceil(-tokens / self._per_second))
            raise TooManyRequests(headers={"retry-after": str(wait), **self._fields(0.0)})
        request.state[self._state_key] = tokens

    def _check_proxy(self, request: RequestHead) -> None:
        """Log, once, that the clients behind a proxy count as one."""
        headers = request.headers
        told = headers.get("x-forwarded-for") or headers.get("forwarded")
        if told is None or (
            request.ip is not None and request.ip in told
        ):  # the server has taken the address from the field
            return
        self._by_address = False
        _log.warning(
            "RateLimit: all clients behind the proxy %s count as one: let the server trust it by --proxy-headers and "
            "--forwarded-allow-ips, or give RateLimit a key",
            ascii(request.ip or "at a Unix socket"),
        )

    @any_mode(waits=False)
    def after(self, request: RequestHead, response: Response) -> None:
        """Set ``ratelimit``: ``r`` requests are left, and the bucket is full in ``t`` seconds."""
        tokens = request.state.get(self._state_key)
        if tokens is None:
            return
        raw = response.raw_headers
        has_limit = any(name == b"ratelimit" for name, _ in raw)
        for field, value in self._fields(tokens).items():
            if has_limit:  # of a limit inside this one; both fields are lists
                value = f"{response.headers.get(field)}, {value}"
            put_field(response, field.encode("ascii"), value.encode("ascii"))

    def _fields(self, tokens: float) -> dict[str, str]:
        full = math.ceil((self._capacity - tokens) / self._per_second)
        return {"ratelimit-policy": self._policy, "ratelimit": f"{self._prefix}{math.floor(tokens)};t={full}"}


def _parse_rate(rate: Any) -> tuple[int, int]:
    match = _RATE.fullmatch(rate) if isinstance(rate, str) else None
    if match is None or int(match[1]) < 1:
        raise ValueError(
            f"RateLimit: expected a rate such as '100/minute', per second, minute, hour or day, got {rate!r}"
        )
    return int(match[1]), _SECONDS[match[2]]
