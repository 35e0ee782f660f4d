"""How often a client may ask: a token bucket for each, in memory.

Sources: RFC 6585 4 (429), RFC 9110 10.2.3 (Retry-After), draft-ietf-httpapi-ratelimit-headers (RateLimit and
RateLimit-Policy).
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from atlas.web.adapters import any_mode
from atlas.web.errors import TooManyRequests
from atlas.web.middleware.fields import put_field
from atlas.web.middleware.options import whole_number

if TYPE_CHECKING:
    from atlas.web.request import RequestHead
    from atlas.web.response import Response

__all__ = ["RateLimit", "client_network"]

_RATE = re.compile(r"\s*([0-9]+)\s*(?:/|per)\s*(second|minute|hour|day)s?\s*")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_\-.]*")


def client_network(request: RequestHead) -> str:
    """The client's address; of IPv6 the first 64 bits, for everybody has all the addresses of such a network.

    Clients whose address the server does not know (a Unix socket without a trusted proxy) are one client together.
    """
    address = request.ip or ""
    if ":" not in address:
        return address
    head, gap, tail = address.partition("%")[0].partition("::")
    groups = head.split(":") if head else []
    after = tail.split(":") if tail else []
    if gap:
        groups += ["0"] * (8 - len(groups) - len(after)) + after
    return ":".join(groups[:4])


class RateLimit:
    """Answers 429 to whoever asks more often than that.

    The buckets are this process's own: with four workers a client may ask four times as often.

    :param rate: ``"100/minute"``, ``"5 per second"``: also how many may come at once, unless ``burst`` says otherwise.
    :param burst: how many may come at once.
    :param key: who is asking: requests with the same key share a bucket, and None is never limited.
    :param size: buckets that are kept. Over it the one that was asked least lately is forgotten.
    :param name: the policy's name in the header fields; two limits around one route need two names.
    :param clock: seconds that only grow.
    :raises TypeError: for a key that cannot be called. :raises ValueError: for a rate, burst, size or name that says
        nothing.
    """

    def __init__(
        self,
        rate: str,
        *,
        burst: int | None = None,
        key: Callable[[RequestHead], str | None] = client_network,
        size: int = 10_000,
        name: str = "default",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        count, period = _parse_rate(rate)
        if not _NAME.fullmatch(name):
            raise ValueError(f"RateLimit: name: expected a word, got {name!r}")
        if not callable(key):
            raise TypeError(f"RateLimit: key: expected a function of the request, got {key!r}")
        self._capacity = float(count if burst is None else whole_number("RateLimit: burst", burst, 1))
        self._per_second = count / period
        self._size = whole_number("RateLimit: size", size, 1)
        self._key, self._clock = key, clock
        self._policy = f'"{name}";q={count};w={period}'
        self._prefix = f'"{name}";r='
        self._left_as = f"rate_limit.{name}"
        self._buckets: dict[
            str, tuple[float, float]
        ] = {}  # tokens and when they were counted, least lately asked first
        self._lock = threading.Lock()  # one instance may serve loops of several threads

    @any_mode(waits=False)
    def before(self, request: RequestHead) -> None:
        """Take a token out of the client's bucket.

        :raises TooManyRequests: if there is none.
        """
        key = self._key(request)
        if key is None:
            return
        tokens = self._take(key)
        if tokens < 0:
            wait = max(1, math.ceil(-tokens / self._per_second))
            raise TooManyRequests(headers={"retry-after": str(wait), **self._fields(0.0)})
        request.state[self._left_as] = tokens

    def _take(self, key: str) -> float:
        """What is left after this request; below zero what is missing for it."""
        with self._lock:
            now = self._clock()
            tokens, then = self._buckets.pop(key, (self._capacity, now))
            tokens = min(self._capacity, tokens + (now - then) * self._per_second)
            self._buckets[key] = (tokens - 1 if tokens >= 1 else tokens, now)
            if len(self._buckets) > self._size:
                del self._buckets[next(iter(self._buckets))]
        return tokens - 1

    @any_mode(waits=False)
    def after(self, request: RequestHead, response: Response) -> None:
        """Tell what is left: ``r`` requests at once, and in ``t`` seconds the bucket is full again."""
        tokens = request.state.get(self._left_as)
        if tokens is None:
            return
        raw = response.raw_headers
        spoken = any(name == b"ratelimit" for name, _ in raw)
        for field, value in self._fields(tokens).items():
            if spoken:  # a limit further in; both fields are lists
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
