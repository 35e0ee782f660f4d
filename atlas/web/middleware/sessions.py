"""``request.session``: in a signed cookie, or in a store on this side that a signed cookie names."""

from __future__ import annotations

import secrets
import time
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, cast

from atlas.gateway.greenlets import in_greenlet
from atlas.web.adapters import any_mode
from atlas.web.controllers import is_async
from atlas.web.cookies import format_cookie
from atlas.web.middleware.options import whole_number
from atlas.web.middleware.privacy import keep_private
from atlas.web.routing import caller_place
from atlas.web.sessions.memory import MemoryStore
from atlas.web.sessions.session import Fate, Kept, Session
from atlas.web.sessions.signing import SignedValues, check_keys, find_keys
from atlas.web.sessions.stores import Store

if TYPE_CHECKING:
    from atlas.web.application import Application
    from atlas.web.request import RequestHead
    from atlas.web.response import Response

__all__ = ["SessionTooLarge", "Sessions"]

P = ParamSpec("P")
T = TypeVar("T")
_TWO_WEEKS = 14 * 24 * 3600
# What every browser keeps, name and attributes included (RFC 6265 6.1 asks for 4096).
_LARGEST_COOKIE = 4093
# A session that is used is prolonged, but not at every request: when an eighth of its time is over.
_PROLONG_AFTER = 8


class SessionTooLarge(ValueError):
    """A session does not fit in a cookie."""


class Sessions:
    """Gives every request its session, and keeps what has changed in it.

    A cookie that is forged, or older than ``max_age``, is as if it was not there. A session in a cookie is signed, not
    encrypted: the visitor can read it, and can bring back an older one until ``max_age`` is over. What must not be read
    or must end at once belongs into a store.

    :param secret_key: signs the cookie: 16 characters or more, or a list of them: the first one signs, the others are
        still believed. None means the application's ``secret_key``.
    :param store: ``"cookie"``, ``"memory"``, or a :class:`~atlas.web.sessions.stores.Store`.
    :param cookie: its name. :param path: and :param domain: where browsers send it.
    :param max_age: seconds that a session lives after it was used last.
    :param permanent: whether the browser keeps the cookie when it is closed.
    :param secure: send it over TLS only; None: if it was set over TLS.
    :param httponly: keep it from scripts. :param samesite: which requests from other sites carry it.
    :raises TypeError: for a key or store that is none. :raises ValueError: for a short key, a time that is not above
        zero, or a cookie that browsers would drop.
    """

    def __init__(
        self,
        secret_key: str | bytes | Iterable[str | bytes] | None = None,
        store: Literal["cookie", "memory"] | Store = "cookie",
        *,
        cookie: str = "session",
        max_age: int = _TWO_WEEKS,
        permanent: bool = True,
        path: str = "/",
        domain: str | None = None,
        secure: bool | None = None,
        httponly: bool = True,
        samesite: Literal["lax", "strict", "none"] = "lax",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._place = caller_place()
        self._store = _check_store(store)
        self._max_age = whole_number("Sessions: max_age", max_age, 1)
        self._cookie, self._permanent = cookie, permanent
        self._path, self._domain, self._secure = path, domain, secure
        self._httponly, self._samesite = httponly, samesite
        self._clock = clock
        self._signed: SignedValues | None = None
        self._check_cookie()
        self._given = secret_key is not None
        if secret_key is not None:
            self._sign_with(check_keys("Sessions", secret_key))

    def _check_cookie(self) -> None:
        self._field("", 0, bool(self._secure))
        self._room = _LARGEST_COOKIE - len(self._field("", self._max_age, True))
        if self._cookie.startswith(("__Host-", "__Secure-")) and not self._secure:
            raise ValueError(f"Sessions: browsers drop a cookie named {self._cookie!r} without secure=True")
        if self._cookie.startswith("__Host-") and (self._path != "/" or self._domain is not None):
            raise ValueError(f"Sessions: browsers drop a cookie named {self._cookie!r} with a path or a domain")

    def _sign_with(self, keys: list[str | bytes]) -> None:
        kind = "data" if self._store is None else "name"
        self._signed = SignedValues(keys, f"session.{kind}.{self._cookie}", clock=self._clock)

    def bind(self, application: Application) -> None:
        """Take the application's secret key, if none was given.

        :raises StartupError: if it has none.
        """
        if not self._given:
            self._sign_with(find_keys("Sessions", self._place, application.config))

    @any_mode(waits=True)
    def before(self, request: RequestHead) -> Awaitable[None] | None:
        """Find the session that the cookie stands for. One in a cookie is read when it is first used.

        :returns: an awaitable if the store has to be asked.
        """
        cookie = request.cookies.get(self._cookie)
        if cookie is None:
            request.session = Session()
        elif self._store is None:
            request.session = self._from_cookie(cookie)
        else:
            return self._find(self._store, request, cookie)
        return None

    async def _find(self, store: Store, request: RequestHead, cookie: str) -> None:
        request.session = await self._from_store(store, cookie)

    def _from_cookie(self, cookie: str) -> Session:
        def load() -> Kept | None:
            found = self._signer.read(cookie, self._max_age)
            data = _unpack(found[0]) if found is not None else None
            return Kept(data, found[1]) if found is not None and data is not None else None

        return Session(load)

    async def _from_store(self, store: Store, cookie: str) -> Session:
        found = self._signer.read(cookie, self._max_age)
        if found is None:
            return Session()
        name = found[0].decode("ascii")
        data = await _called(store.get, name)
        if data is None:  # a name that we do not know is never taken over
            return Session()
        kept = Kept(data, found[1])
        return Session(lambda: kept, name)

    @any_mode(waits=True)
    def after(self, request: RequestHead, response: Response) -> Awaitable[None] | None:
        """Keep the session, if it has changed, and tell caches about it, if it was looked at.

        :returns: an awaitable if the store has to be asked.
        :raises SessionTooLarge: if it does not fit in its cookie. :raises TypeError: for a value without a JSON form.
        """
        session = request.session
        if not session.accessed:
            return None
        fate, data = session.fate()
        session.seal()
        if fate is Fate.LEAVE and not self._is_due(session):
            keep_private(response, new_cookie=False)
            return None
        secure = request.is_secure if self._secure is None else self._secure
        if self._store is not None:
            return self._store_session(self._store, response, session, fate, data, secure)
        self._set_cookie(response, None if fate is Fate.DELETE else _pack(data), secure)
        return None

    async def _store_session(
        self, store: Store, response: Response, session: Session, fate: Fate, data: bytes, secure: bool
    ) -> None:
        if fate is not Fate.DELETE:
            self._set_cookie(response, await self._keep(store, session, fate, data), secure)
            return
        if session.name is not None:
            await _called(store.delete, session.name)
        self._set_cookie(response, None, secure)

    def _set_cookie(self, response: Response, value: bytes | None, secure: bool) -> None:
        """Set the cookie to a value that is signed; None deletes it."""
        if value is None:
            field = self._field("", 0, secure)
        else:
            signed = self._signer.sign(value)
            if len(signed) > self._room:
                raise SessionTooLarge(f"the session takes {len(signed)} bytes, a cookie has {self._room}; use a store")
            field = self._field(signed, self._max_age if self._permanent else None, secure)
        response.headers.add("set-cookie", field)
        keep_private(response, new_cookie=True)

    def _is_due(self, session: Session) -> bool:
        return session.age is not None and session.age * _PROLONG_AFTER >= self._max_age

    async def _keep(self, store: Store, session: Session, fate: Fate, data: bytes) -> bytes:
        """Keep it in the store. What comes back is its name, for the cookie."""
        old = session.name
        if fate is Fate.LEAVE and old is not None:
            await _called(store.touch, old, self._max_age)
            return old.encode("ascii")
        name = secrets.token_urlsafe(32) if old is None or fate is Fate.RENEW else old
        await _called(store.set, name, data, self._max_age)
        if old is not None and old != name:
            await _called(store.delete, old)
        return name.encode("ascii")

    def _field(self, value: str, max_age: int | None, secure: bool) -> str:
        return format_cookie(
            self._cookie,
            value,
            max_age=max_age,
            path=self._path,
            domain=self._domain,
            secure=secure,
            httponly=self._httponly,
            samesite=self._samesite,
        )

    @property
    def _signer(self) -> SignedValues:
        if self._signed is None:
            raise RuntimeError("Sessions has no secret key: give it one, or list it as middleware of an application")
        return self._signed


def _check_store(store: Any) -> Store | None:
    if store == "cookie":
        return None
    if store == "memory":
        return MemoryStore()
    missing = [name for name in ("get", "set", "delete", "touch") if not callable(getattr(store, name, None))]
    if missing or isinstance(store, type):
        raise TypeError(
            f"Sessions: store: expected 'cookie', 'memory' or a store (get, set, delete, touch), got {store!r}"
        )
    return cast(Store, store)


async def _called(function: Callable[P, T | Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of a store's method. One that is ``def`` runs in a greenlet, where it may wait."""
    if is_async(function):
        result = function(*args, **kwargs)
    else:
        result = await in_greenlet(function, *args, **kwargs)
    return await result if isawaitable(result) else result


def _pack(data: bytes) -> bytes:
    """Bytes as characters that a cookie can carry, compressed if that makes them fewer."""
    smaller = zlib.compress(data)
    return b"." + _base64(smaller) if len(smaller) < len(data) else _base64(data)


def _base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _unpack(value: bytes) -> bytes | None:
    """The bytes again. What is signed was packed by us, so there is no bomb in it."""
    text = value.removeprefix(b".")
    try:
        data = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
        return zlib.decompress(data) if value.startswith(b".") else data
    except (ValueError, zlib.error):
        return None
