"""Sessions: kept in a signed cookie, or in a store on the server under a name from a signed cookie."""

from __future__ import annotations

import logging
import secrets
import time
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Literal, cast

from atlas.web.adapters import any_mode
from atlas.web.call_site import caller_place
from atlas.web.cookies import cookie_name, cookie_path, format_cookie
from atlas.web.interfaces import ApplicationInterface
from atlas.web.option_checks import check_number
from atlas.web.requests.request_head import RequestHead
from atlas.web.responses.bodies import is_streamed
from atlas.web.responses.caching import keep_private
from atlas.web.responses.response import Response
from atlas.web.sessions.session import Kept, Session, SessionAction
from atlas.web.sessions.session_store import SessionStore
from atlas.web.sessions.signing import SignedValues, check_keys, find_keys
from atlas.web.stores.memory import MemoryStore
from atlas.web.stores.store import Store, bind_store, missing_methods

__all__ = ["SessionTooLarge", "Sessions"]

_log = logging.getLogger("atlas.web")
_TWO_WEEKS = 14 * 24 * 3600
# Bytes that every browser accepts, name and attributes included (RFC 6265 6.1 asks for 4096).
_MAX_COOKIE = 4093
# A session is renewed when an eighth of its time has passed, and not with every request.
_RENEW_AFTER = 8


class SessionTooLarge(ValueError):
    """The session does not fit into a cookie."""


class Sessions:
    """Sets ``request.session``, and saves a session that was changed.

    A cookie with an invalid signature, or one older than ``max_age``, is ignored. A session in a cookie is signed, not
    encrypted: the visitor can read it, and can send an older one until ``max_age`` has passed. Use a store for values
    that must stay secret or must be revocable.

    A session in a store that a request ends, by ``clear()`` or ``rotate()``, stays so: what a slower request has
    changed in it is not saved. Of a session in a cookie the browser keeps what the last response sets, so a slower
    request may log a visitor in again.

    :param secret_key: the key that signs the cookie, at least 16 characters. Of a list the first key signs, and
        signatures of all keys are accepted. None, the default, for ``secret_key`` of the configuration.
    :param store: ``"cookie"``, the default, ``"memory"``, or a :class:`~atlas.web.stores.store.Store`.
    :param cookie: name of the cookie; None, the default, for ``session``, and ``session_shop`` under the root path
        ``/shop``. Of several applications on one host none accepts the cookie of another one.
    :param max_age: seconds for which a session lives after its last use; two weeks by default.
    :param permanent: whether the cookie outlives the browser; True by default.
    :param path: the path below which browsers send the cookie; None, the default, for the root path of the server, so
        that applications under several prefixes of a host do not share it.
    :param domain: the domain whose subdomains get the cookie too; None, the default, for this host only.
    :param secure: whether to send the cookie over TLS only; None, the default, if the request came over TLS.
    :param httponly: whether to keep the cookie from scripts; True by default.
    :param samesite: which requests from other sites carry the cookie, ``"lax"`` by default.
    :param clock: returns seconds since the epoch.
    :raises TypeError: for an invalid key or store.
    :raises ValueError: for a short key, a time that is not above zero, or a cookie that browsers would drop.
    """

    def __init__(
        self,
        secret_key: str | bytes | Iterable[str | bytes] | None = None,
        store: Literal["cookie", "memory"] | Store = "cookie",
        *,
        cookie: str | None = None,
        max_age: int = _TWO_WEEKS,
        permanent: bool = True,
        path: str | None = None,
        domain: str | None = None,
        secure: bool | None = None,
        httponly: bool = True,
        samesite: Literal["lax", "strict", "none"] = "lax",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._place = caller_place()
        self._max_age = check_number("Sessions: max_age", max_age, 1)
        self._kept = _check_store(store)
        self._store = SessionStore(self._kept, self._max_age) if self._kept is not None else None
        self._cookie, self._permanent = "session" if cookie is None else cookie, permanent
        self._has_own_name = cookie is not None
        self._path, self._domain, self._secure = path, domain, secure
        self._httponly, self._samesite = httponly, samesite
        self._clock = clock
        self._signed: SignedValues | None = None
        self._check_cookie()
        self._given = secret_key is not None
        if secret_key is not None:
            self._sign_with(check_keys("Sessions", secret_key))

    def _check_cookie(self) -> None:
        path = self._path or "/"
        name = self._cookie
        self._field(name, "", 0, bool(self._secure), path)
        self._room = _MAX_COOKIE - len(self._field(name, "", self._max_age, True, path)) + len(path) + len(name)
        if self._cookie.startswith(("__Host-", "__Secure-")) and not self._secure:
            raise ValueError(f"Sessions: browsers drop a cookie named {self._cookie!r} without secure=True")
        if self._cookie.startswith("__Host-") and (self._path not in (None, "/") or self._domain is not None):
            raise ValueError(f"Sessions: browsers drop a cookie named {self._cookie!r} with a path or a domain")

    def _sign_with(self, keys: list[str | bytes]) -> None:
        kind = "data" if self._store is None else "name"
        self._signed = SignedValues(keys, f"session.{kind}.{self._cookie}", clock=self._clock)

    def bind(self, application: ApplicationInterface) -> None:
        """Use ``secret_key`` of the configuration, if no key was passed, and close the store with the application.

        :param application: the application.
        :raises StartupError: if the configuration has none either.
        """
        if not self._given:
            self._sign_with(find_keys("Sessions", self._place, application.config))
        bind_store(self._kept, application)

    @any_mode(waits=True)
    def before(self, request: RequestHead) -> Awaitable[None] | None:
        """Set the session of the request. A session in a cookie is decoded when it is first accessed.

        :param request: the request.
        :returns: an awaitable if the session has to be loaded from a store; else None.
        """
        cookie = request.cookies.get(self._name(request))
        if cookie is None:
            request.session = Session()
        elif self._store is None:
            request.session = self._from_cookie(self._signer.under(request.root_path), cookie)
        else:
            return self._load(self._store, request, cookie)
        return None

    async def _load(self, store: SessionStore, request: RequestHead, cookie: str) -> None:
        request.session = await self._from_store(store, self._signer.under(request.root_path), cookie)

    def _name(self, request: RequestHead) -> str:
        """Return the name of the cookie."""
        root_path = request.root_path
        return cookie_name(self._cookie, root_path) if root_path and not self._has_own_name else self._cookie

    def _from_cookie(self, signer: SignedValues, cookie: str) -> Session:
        def load() -> Kept | None:
            found = signer.read(cookie, self._max_age)
            data = _unpack(found[0]) if found is not None else None
            return Kept(data, found[1]) if found is not None and data is not None else None

        return Session(load)

    async def _from_store(self, store: SessionStore, signer: SignedValues, cookie: str) -> Session:
        found = signer.read(cookie, self._max_age)
        if found is None:
            return Session()
        name = found[0].decode("ascii")
        data = await store.get(name)
        if data is None:  # an unknown name from a client is never used for a new session
            return Session()
        kept = Kept(data, found[1])
        return Session(lambda: kept, name)

    @any_mode(waits=True)
    def after(self, request: RequestHead, response: Response) -> Awaitable[None] | None:
        """Save the session if it was changed, and mark the response as private if it was accessed.

        :param request: the request.
        :param response: the response.
        :returns: an awaitable if the session has to be saved in a store; else None.
        :raises SessionTooLarge: if the session does not fit into its cookie.
        :raises TypeError: for a value that has no JSON form.
        """
        session = request.session
        if not session.accessed:
            session.seal()
            if is_streamed(response) and self._name(request) in request.cookies:
                keep_private(response.headers, new_cookie=False)  # the generator may read the session
            return None
        action, data = session.action()
        session.seal()
        if action is SessionAction.LEAVE and not self._needs_renewal(session):
            keep_private(response.headers, new_cookie=False)
            return None
        if self._store is not None:
            return self._save(self._store, request, response, session, action, data)
        self._set_cookie(request, response, None if action is SessionAction.DELETE else _pack(data))
        return None

    async def _save(
        self,
        store: SessionStore,
        request: RequestHead,
        response: Response,
        session: Session,
        action: SessionAction,
        data: bytes,
    ) -> None:
        if action is SessionAction.DELETE:
            if session.name is not None:
                await store.end(session.name)
            self._set_cookie(request, response, None)
            return
        name = await self._keep(store, session, action, data)
        if name is not None:
            self._set_cookie(request, response, name.encode("ascii"))
            return
        # No cookie: it would replace the one of the request that has ended the session.
        keep_private(response.headers, new_cookie=False)
        _log.info("the changes of a session were not saved: another request has ended it")

    def _set_cookie(self, request: RequestHead, response: Response, value: bytes | None) -> None:
        """Set the cookie to a signed value; None deletes the cookie."""
        secure = request.is_secure if self._secure is None else self._secure
        path = self._path or ("/" if self._cookie.startswith("__Host-") else cookie_path(request.root_path))
        name = self._name(request)
        room = self._room - len(path) - len(name)
        if value is None:
            field = self._field(name, "", 0, secure, path)
        else:
            signed = self._signer.under(request.root_path).sign(value)
            if len(signed) > room:
                raise SessionTooLarge(f"the session takes {len(signed)} bytes, a cookie has {room}; use a store")
            field = self._field(name, signed, self._max_age if self._permanent else None, secure, path)
        response.headers.add("set-cookie", field)
        keep_private(response.headers, new_cookie=True)

    def _needs_renewal(self, session: Session) -> bool:
        return session.age is not None and session.age * _RENEW_AFTER >= self._max_age

    async def _keep(self, store: SessionStore, session: Session, action: SessionAction, data: bytes) -> str | None:
        """Save the session in the store.

        :returns: its name for the cookie; None if another request has ended the session, and there is nothing to save.
        """
        old = session.name
        if old is not None and action is SessionAction.LEAVE:
            return old if await store.touch(old) else None
        if old is not None and action is SessionAction.SAVE:
            return old if await store.replace(old, data) else None
        # Replaced by what it was, to learn whether it still exists: under the old name the new values must not appear.
        if old is not None and not session.was_cleared and not await store.replace(old, session.saved):
            data = session.changes()  # a login in this request is good; what the session had before has ended
            if not data:
                return None
        name = secrets.token_urlsafe(32)
        await store.add(name, data)
        if old is not None:
            await store.end(old)
        return name

    def _field(self, name: str, value: str, max_age: int | None, secure: bool, path: str) -> str:
        return format_cookie(
            name,
            value,
            max_age=max_age,
            path=path,
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
    if missing_methods(store):
        raise TypeError(
            f"Sessions: store: expected 'cookie', 'memory' or a store (get, set, delete, touch), got {store!r}"
        )
    return cast(Store, store)


def _pack(data: bytes) -> bytes:
    """Encode bytes for a cookie, compressed if that is shorter."""
    smaller = zlib.compress(data)
    return b"." + _base64(smaller) if len(smaller) < len(data) else _base64(data)


def _base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _unpack(value: bytes) -> bytes | None:
    """Decode bytes from a cookie. They were signed, so decompression cannot exceed what was packed."""
    text = value.removeprefix(b".")
    try:
        data = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
        return zlib.decompress(data) if value.startswith(b".") else data
    except (ValueError, zlib.error):
        return None
