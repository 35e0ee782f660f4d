"""``Cache`` for sync code, and ``AsyncCache`` for ``async def``: one cache, in memory or in a store."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Literal, ParamSpec, TypeAlias, TypeVar, cast, overload

import msgspec

from atlas.gateway.greenlets import await_, in_greenlet
from atlas.gateway.single_flight import SingleFlight
from atlas.web.cache.keys import call_key, check_key
from atlas.web.cache.locks import CacheLock, compute_once
from atlas.web.controllers import is_async
from atlas.web.interfaces import ApplicationInterface
from atlas.web.option_checks import check_seconds
from atlas.web.stores.memory import MemoryStore
from atlas.web.stores.store import Store, bind_store, call_store, missing_methods

__all__ = ["AsyncCache", "Cache"]

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
_Made: TypeAlias = Callable[[], Any]
_encode = msgspec.msgpack.Encoder().encode


class AsyncCache:
    """The cache for ``async def``; see :class:`Cache`, whose methods have the same names and parameters.

    It is made by a Cache, as ``cache.async_cache``.

    :param store: where the entries are.
    :param prefix: the beginning of the names in the store.
    :param seconds: time until an entry expires, where a call does not say another one.
    :param lock_seconds: how long a computation is waited for.
    """

    def __init__(self, store: Store, prefix: str, seconds: float, lock_seconds: float) -> None:
        self._store = store
        self._prefix = prefix
        self._seconds = seconds
        self._lock_seconds = lock_seconds
        self._is_shared = not isinstance(store, MemoryStore) and not missing_methods(store, "add", "release")
        self._flights = SingleFlight()

    @overload
    async def get(self, key: str, default: T, *, type: type[T]) -> T: ...
    @overload
    async def get(self, key: str, default: None = None, *, type: type[T]) -> T | None: ...
    @overload
    async def get(self, key: str, default: Any = None) -> Any: ...
    async def get(self, key: str, default: Any = None, *, type: Any = Any) -> Any:  # noqa: A002
        """See :meth:`Cache.get`."""
        data = await call_store(self._store.get, self._name(key))
        if data is None:
            return default
        try:
            return msgspec.msgpack.decode(data, type=type)
        except (msgspec.ValidationError, msgspec.DecodeError):
            return default  # another version of the program saved it

    async def set(self, key: str, value: Any, seconds: float | None = None) -> None:
        """See :meth:`Cache.set`."""
        lifetime = self._lifetime(seconds)
        await call_store(self._store.set, self._name(key), _encode(value), lifetime)

    async def delete(self, key: str) -> None:
        """See :meth:`Cache.delete`."""
        await call_store(self._store.delete, self._name(key))

    async def touch(self, key: str, seconds: float | None = None) -> None:
        """See :meth:`Cache.touch`."""
        await call_store(self._store.touch, self._name(key), self._lifetime(seconds))

    @overload
    async def get_or_set(
        self, key: str, make: Callable[[], Awaitable[T]], seconds: float | None = None, *, type: Any = ...
    ) -> T: ...
    @overload
    async def get_or_set(
        self, key: str, make: Callable[[], T], seconds: float | None = None, *, type: Any = ...
    ) -> T: ...
    async def get_or_set(
        self,
        key: str,
        make: _Made,
        seconds: float | None = None,
        *,
        type: Any = Any,  # noqa: A002
    ) -> Any:
        """See :meth:`Cache.get_or_set`."""
        lifetime, name = self._lifetime(seconds), self._name(key)

        async def find() -> Any:
            return await self.get(key, msgspec.UNSET, type=type)

        async def compute() -> Any:
            value = await (make() if is_async(make) else in_greenlet(make))
            if inspect.isawaitable(value):
                value = await value
            await call_store(self._store.set, name, _encode(value), lifetime)
            return value

        async def compute_in_one_process() -> Any:
            if not self._is_shared:
                return await compute()
            return await compute_once(
                self._store, self._own_name("computing", key), find, compute, msgspec.UNSET, self._lock_seconds
            )

        found = await find()
        if found is msgspec.UNSET:
            found = await self._flights.run(key, compute_in_one_process)
        return found

    def lock(self, name: str, *, seconds: float = 30.0, wait: float | None = None) -> CacheLock:
        """See :meth:`Cache.lock`."""
        return CacheLock(self._store, self._own_name("lock", name), seconds, wait)

    def _name(self, key: str) -> str:
        return self._prefix + check_key(key)

    def _own_name(self, purpose: str, key: str) -> str:
        """Return a name that no key of the program has."""
        return f"{self._prefix.rstrip(':')}-{purpose}:{check_key(key)}"

    def _lifetime(self, seconds: float | None) -> float:
        if seconds is None:
            return self._seconds
        return check_seconds("Cache: seconds", seconds)


class Cache:
    """Keeps values under keys for a time. In ``async def``, use :attr:`async_cache`, with ``await``.

    A value is anything that msgspec encodes: numbers, text, bytes, dates, lists, dicts, Structs, dataclasses. It comes
    back as plain lists and dicts, or as the ``type`` that the caller passes. A store on another machine that does not
    answer raises :class:`~atlas.web.stores.store.StoreUnavailable`.

    :param store: ``"memory"``, the default, for the memory of the process, of at most ``size`` entries; or a
        :class:`~atlas.Store`, such as :class:`atlas.redis.RedisStore`, which several processes share.
    :param prefix: the beginning of the names in the store, ``"cache:"`` by default.
    :param seconds: time until an entry expires, 300 by default.
    :param lock_seconds: how long a computation of another process is waited for, 30 by default.
    :param size: maximum number of entries in memory, 10,000 by default; the least recently used one is dropped.
    :raises TypeError: for an object that is not a store.
    :raises ValueError: for a time or size that is not above zero.

    :ivar async_cache: the same cache for ``async def``.
    """

    def __init__(
        self,
        store: Literal["memory"] | Store = "memory",
        *,
        prefix: str = "cache:",
        seconds: float = 300.0,
        lock_seconds: float = 30.0,
        size: int = 10_000,
    ) -> None:
        for name, value in (("seconds", seconds), ("lock_seconds", lock_seconds)):
            check_seconds(f"Cache: {name}", value)
        kept = MemoryStore(size) if store == "memory" else store
        if isinstance(kept, str) or (missing := missing_methods(kept)):
            raise TypeError(
                f"Cache: store: expected 'memory' or a store (get, set, delete, touch), got {store!r}"
                + ("" if isinstance(kept, str) else f", without {missing}")
            )
        self._store: Store = kept
        self.async_cache = AsyncCache(kept, prefix, seconds, lock_seconds)

    def bind(self, application: ApplicationInterface) -> None:
        """Close the store when an application stops: ``cache.bind(app)``. A store in memory needs no closing.

        :param application: the application.
        """
        bind_store(self._store, application)

    @overload
    def get(self, key: str, default: T, *, type: type[T]) -> T: ...
    @overload
    def get(self, key: str, default: None = None, *, type: type[T]) -> T | None: ...
    @overload
    def get(self, key: str, default: Any = None) -> Any: ...
    def get(self, key: str, default: Any = None, *, type: Any = Any) -> Any:  # noqa: A002
        """Return a value.

        :param key: the key; any text that is not empty.
        :param default: what is returned if there is no value, or one of another type.
        :param type: the type of the value: a Struct, dataclass, ``list[int]`` ...; by default what msgpack has.
        """
        return await_(self.async_cache.get(key, default, type=type))

    def set(self, key: str, value: Any, seconds: float | None = None) -> None:
        """Save a value.

        :param key: the key.
        :param value: the value.
        :param seconds: time until it expires; None, the default, for that of the cache.
        :raises TypeError: for a value that msgspec does not encode.
        :raises ValueError: for a time that is not above zero.
        """
        await_(self.async_cache.set(key, value, seconds))

    def delete(self, key: str) -> None:
        """Delete a value; an unknown key is ignored.

        :param key: the key.
        """
        await_(self.async_cache.delete(key))

    def touch(self, key: str, seconds: float | None = None) -> None:
        """Extend the time of a value; an unknown key is ignored.

        :param key: the key.
        :param seconds: time from now until it expires; None, the default, for that of the cache.
        """
        await_(self.async_cache.touch(key, seconds))

    @overload
    def get_or_set(
        self, key: str, make: Callable[[], Awaitable[T]], seconds: float | None = None, *, type: Any = ...
    ) -> T: ...
    @overload
    def get_or_set(self, key: str, make: Callable[[], T], seconds: float | None = None, *, type: Any = ...) -> T: ...
    def get_or_set(self, key: str, make: _Made, seconds: float | None = None, *, type: Any = Any) -> Any:  # noqa: A002
        """Return a value; if there is none, compute and save it.

        One computation of a key runs at a time; the others wait for its result. In a store with ``add`` and
        ``release``, this holds for all processes. An exception is raised in all callers of this process, and nothing is
        saved.

        :param key: the key.
        :param make: computes the value; ``def`` or ``async def``, without parameters.
        :param seconds: time until it expires; None, the default, for that of the cache.
        :param type: the type of a value from the store, see :meth:`get`.
        :returns: the value.
        :raises Exception: what ``make`` raises.
        """
        return await_(self.async_cache.get_or_set(key, make, seconds, type=type))

    def cached(
        self,
        seconds: float | None = None,
        *,
        key: str | Callable[..., str] | None = None,
        type: Any = Any,  # noqa: A002
    ) -> Callable[[F], F]:
        """Decorator: keep what a function returns, by its arguments. The function may be ``def`` or ``async def``.

        :param seconds: time until a result expires; None, the default, for that of the cache.
        :param key: the key; or a function that takes the arguments and returns it. None, the default, for the name of
            the function with its arguments, which must be numbers, text, bytes, None or tuples of them.
        :param type: the type of the result; by default what msgpack has.
        """

        def decorate(function: F) -> F:
            find_key = call_key(function, key)
            if is_async(function):

                @functools.wraps(function)
                async def call(*args: Any, **kwargs: Any) -> Any:
                    make = functools.partial(function, *args, **kwargs)
                    return await self.async_cache.get_or_set(find_key(args, kwargs), make, seconds, type=type)
            else:

                @functools.wraps(function)
                def call(*args: Any, **kwargs: Any) -> Any:
                    make = functools.partial(function, *args, **kwargs)
                    return self.get_or_set(find_key(args, kwargs), make, seconds, type=type)

            return cast(F, call)

        return decorate

    def lock(self, name: str, *, seconds: float = 30.0, wait: float | None = None) -> CacheLock:
        """Return a lock that one holder at a time has, in all processes that share the store:
        ``with cache.lock("import"):``, in ``async def`` ``async with cache.lock("import"):``.

        :param name: name of the lock.
        :param seconds: time after which the lock is free, if its holder has ended without releasing it.
        :param wait: how long to wait for it, in seconds; None, the default, for ever.
        :raises TypeError: for a store without ``add`` and ``release``.
        :raises ValueError: for a time that is not above zero.

        Entering it raises TimeoutError if it was not free in time.
        """
        return self.async_cache.lock(name, seconds=seconds, wait=wait)
