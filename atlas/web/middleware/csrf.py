"""Protection against cross-site request forgery.

A request is checked twice: by the origin that the browser reports (``sec-fetch-site``, ``origin``, ``referer``), and
by a token that only pages of this site contain. Sources: the OWASP CSRF Prevention Cheat Sheet, Fetch Metadata, RFC
6454.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Literal
from urllib.parse import urlsplit

from atlas.errors import StartupError
from atlas.web.adapters import any_mode
from atlas.web.call_site import caller_place
from atlas.web.cookies import cookie_name, cookie_path, format_cookie
from atlas.web.exceptions import Forbidden
from atlas.web.headers import encode_field
from atlas.web.interfaces import ApplicationInterface
from atlas.web.middleware.cors import check_origin
from atlas.web.middleware.decompress import Decompress
from atlas.web.middleware.sessions import Sessions
from atlas.web.option_checks import check_strings
from atlas.web.requests.form_field import find_field
from atlas.web.requests.request_head import RequestHead
from atlas.web.responses.bodies import is_streamed
from atlas.web.responses.caching import keep_private
from atlas.web.responses.response import Response
from atlas.web.sessions.session import CSRF_SECRET, Session
from atlas.web.sessions.signing import SignedValues, check_keys, find_keys

__all__ = ["CSRF", "CSRFToken"]

_log = logging.getLogger("atlas.web")
_SAFE = frozenset(["GET", "HEAD", "OPTIONS", "TRACE", "QUERY"])  # RFC 9110 9.2.1, RFC 10008
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_SIZE = 32
_YEAR = 365 * 24 * 3600
_OWN_STATE = "_csrf"


class CSRFToken:
    """The token of a request, for forms and scripts: templates write it with ``{{ csrf_token }}``.

    The secret is created when the token is first written, so that a page without a form sets no cookie. The token is
    masked anew for each request, because an attacker could recover a constant one from compressed pages (BREACH).

    :param find: returns the secret of the visitor; None if there is none.
    :param make: creates a secret.

    :ivar closed: whether the response has begun, so that no secret can be created any more.
    """

    __slots__ = ("_find", "_make", "_text", "closed")

    def __init__(self, find: Callable[[], bytes | None], make: Callable[[], bytes]) -> None:
        self._find = find
        self._make = make
        self._text: tuple[bytes, str] | None = None
        self.closed = False

    def __str__(self) -> str:
        secret = self._find()
        if secret is None:
            if self.closed:
                raise RuntimeError("csrf_token was first asked for after the response had begun; ask for it before")
            secret = self._make()
        if self._text is None or self._text[0] != secret:
            self._text = (secret, _mask(secret))
        return self._text[1]

    __call__ = __html__ = __str__

    def matches(self, token: str) -> bool:
        """Return whether a token was written for this visitor; compared in constant time.

        :param token: the token from the request.
        """
        secret, given = self._find(), _unmask(token)
        return secret is not None and given is not None and hmac.compare_digest(secret, given)


class CSRF:
    """Answers 403 to requests that may change something and were not sent by a page of this site.

    ``request.state.csrf_token`` is the token. It is sent back in a form field, or by scripts in a header field.
    Requests with other bodies than forms need the header field. A form is read up to the token, and can be read or
    streamed by the controller as if it had not been; a token before the files of a form is found soonest.

    :param secret_key: the key that signs the cookie of ``store="cookie"``, see :class:`Sessions`; None, the default,
        for ``secret_key`` of the configuration.
    :param store: where the secret behind the tokens is kept. ``"cookie"``, the default: in a signed cookie of its own.
        ``"session"``: in the session, and as long as the session; :class:`Sessions` has to be outside this middleware.
    :param field: name of the form field, ``csrf_token`` by default.
    :param header: name of the header field, ``x-csrf-token`` by default.
    :param cookie: name of the cookie; None, the default, for ``csrf``, and ``csrf_shop`` under the root path ``/shop``.
    :param trusted_origins: other origins whose pages may send requests. Empty by default.
    :param exempt: routes that are not checked, by name or path; a path that ends in ``*`` includes all paths that begin
        so. Empty by default.
    :param secure: whether to send the cookie over TLS only; None, the default, if the request came over TLS.
    :param clock: returns seconds since the epoch.
    :raises TypeError: for a string where a list is expected, or an invalid key.
    :raises ValueError: for an invalid store, key, origin or field name.
    """

    def __init__(
        self,
        secret_key: str | bytes | Iterable[str | bytes] | None = None,
        *,
        store: Literal["cookie", "session"] = "cookie",
        field: str = "csrf_token",
        header: str = "x-csrf-token",
        cookie: str | None = None,
        trusted_origins: Iterable[str] = (),
        exempt: Iterable[str] = (),
        secure: bool | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if store not in ("cookie", "session"):
            raise ValueError(f"CSRF: store: expected 'cookie' or 'session', got {store!r}")
        trusted = check_strings("CSRF: trusted_origins", trusted_origins, "https://example.com")
        names = check_strings("CSRF: exempt", exempt, "/hooks/*")
        encode_field(header, "")
        self._has_own_name = cookie is not None
        cookie = "csrf" if cookie is None else cookie
        format_cookie(cookie, "x", secure=bool(secure))
        self._place = caller_place()
        self._in_session = store == "session"
        self._field, self._header, self._cookie, self._secure = field, header.lower(), cookie, secure
        self._trusted = frozenset(check_origin("CSRF", origin) for origin in trusted)
        self._exempt = frozenset(names)
        self._prefixes = tuple(name[:-1] for name in names if name.endswith("*"))
        self._clock = clock
        self._signed: SignedValues | None = None
        self._given = secret_key is not None
        if secret_key is not None:
            self._sign_with(check_keys("CSRF", secret_key))

    def _sign_with(self, keys: list[str | bytes]) -> None:
        self._signed = SignedValues(keys, f"csrf.{self._cookie}", clock=self._clock)

    def bind(self, application: ApplicationInterface) -> None:
        """Use ``secret_key`` of the configuration, if a key is needed and none was passed.

        :param application: the application.
        :raises StartupError: if the configuration has none either.
        """
        if not self._in_session and not self._given:
            self._sign_with(find_keys("CSRF", self._place, application.config))

    def check_order(self, inner: Sequence[Any]) -> None:
        """Check that the session is there before this middleware needs it, and that the forms it reads are decoded.

        :param inner: the middleware inside this one.
        :raises StartupError: if :class:`Sessions` or :class:`Decompress` is among it.
        """
        if any(isinstance(each, Decompress) for each in inner):
            raise StartupError(f"{self._place}: CSRF reads forms: list Decompress before it")
        if self._in_session and any(isinstance(each, Sessions) for each in inner):
            raise StartupError(f"{self._place}: CSRF(store='session') needs the session: list Sessions before it")

    @any_mode(waits=True)
    def before(self, request: RequestHead) -> Awaitable[None] | None:
        """Create the token of the request, and check the token that the client has sent.

        :param request: the request.
        :returns: an awaitable if the token has to be read from a form; else None.
        :raises Forbidden: if the request was not sent by a page of this site.
        """
        # No place refers to the request, which refers to it: a reference cycle would need the garbage collector.
        place: _SessionPlace | _CookiePlace
        if self._in_session:
            place = _SessionPlace(request.session)
        else:
            signed = request.cookies.get(self._name(request))
            place = _CookiePlace(partial(self._secret_in, signed, request.root_path))
        token = CSRFToken(place.find, place.make)
        request.state.csrf_token = token
        request.state[_OWN_STATE] = place
        if request.method in _SAFE or self._is_exempt(request):
            return None
        self._check_origin(request)
        given = request.headers.get(self._header)
        if given is None and request.content_type.partition(";")[0].strip().lower() in _FORMS:
            return self._check_form(request, token)
        self._check(token, given)
        return None

    async def _check_form(self, request: RequestHead, token: CSRFToken) -> None:
        if request.route is not None and request.route.is_mount:
            await request.read_body()  # a mounted application may expect it in one event
        self._check(token, await find_field(request, self._field))

    def _check(self, token: CSRFToken, given: str | None) -> None:
        if given is None:
            raise Forbidden(f"the CSRF token is missing: send it as {self._field} or {self._header}")
        if not token.matches(given):
            raise Forbidden("the CSRF token is not the one of this visitor; load the page again")

    def _name(self, request: RequestHead) -> str:
        """Return the name of the cookie."""
        root_path = request.root_path
        return cookie_name(self._cookie, root_path) if root_path and not self._has_own_name else self._cookie

    def _secret_in(self, value: str | None, root_path: str) -> bytes | None:
        found = self._signer.under(root_path).read(value, _YEAR) if value else None
        return _decoded(found[0]) if found is not None else None

    def _is_exempt(self, request: RequestHead) -> bool:
        if not self._exempt:
            return False
        route = request.route
        if route is not None and route.name in self._exempt:
            return True
        if b"%2f" in request.raw_path.lower():
            return False  # not a separator for the router, so the path may be that of another route
        path = request.path
        return path in self._exempt or (bool(self._prefixes) and path.startswith(self._prefixes))

    def _check_origin(self, request: RequestHead) -> None:
        """Check the origin that the client reports. A client that reports none is not a browser; the token decides."""
        headers = request.headers
        origin = headers.get("origin")
        if origin in self._trusted:
            return
        site = headers.get("sec-fetch-site")
        if site is not None:
            # The browser has compared the origins, and knows the scheme on its side of a proxy.
            if site not in ("same-origin", "none"):
                raise Forbidden("the request comes from another site")
            return
        if origin is None:
            referer = headers.get("referer")
            if referer is None:
                return
            origin = _origin_of(referer)
        if origin is not None and (origin in self._trusted or origin in self._own_origins(request)):
            return
        _log.info("CSRF: refused a request of %s to %s; see trusted_origins", ascii(origin), ascii(request.host))
        raise Forbidden("the request comes from another site")

    def _own_origins(self, request: RequestHead) -> tuple[str | None, ...]:
        """Return the origins of this site.

        Where the server speaks HTTP, a proxy may speak TLS with the browser, so a page of the same host over TLS is one
        of this site. The reverse does not hold: an attacker in the network can send pages over HTTP. The token is
        checked in any case.
        """
        return _origin_of(f"{request.scheme}://{request.host}"), _origin_of(f"https://{request.host}")

    @any_mode(waits=False)
    def after(self, request: RequestHead, response: Response) -> None:
        """Set the cookie, if a secret was created."""
        token, place = request.state.get("csrf_token"), request.state.get(_OWN_STATE)
        if isinstance(token, CSRFToken):
            if is_streamed(response) and response.headers.get("content-type", "").startswith("text/html"):
                str(token)  # the page may write the token while it is sent; the cookie has to be set before
            token.closed = True
        if not isinstance(place, _CookiePlace) or not place.used:
            return
        keep_private(response.headers, new_cookie=place.made)  # the page contains the token of this visitor
        if place.made and place.secret is not None:
            secure = request.is_secure if self._secure is None else self._secure
            value = self._signer.under(request.root_path).sign(urlsafe_b64encode(place.secret))
            response.headers.add("set-cookie", self._cookie_field(request, value, secure))

    def _cookie_field(self, request: RequestHead, value: str, secure: bool) -> str:
        path = "/" if self._cookie.startswith("__Host-") else cookie_path(request.root_path)
        return format_cookie(self._name(request), value, max_age=_YEAR, path=path, secure=secure)

    @property
    def _signer(self) -> SignedValues:
        if self._signed is None:
            raise RuntimeError("CSRF has no secret key: give it one, or list it as middleware of an application")
        return self._signed


class _CookiePlace:
    """Keeps the secret in a cookie of its own."""

    __slots__ = ("_read", "made", "secret", "used")

    def __init__(self, read: Callable[[], bytes | None]) -> None:
        self._read = read
        self.secret: bytes | None = None
        self.made = self.used = False

    def find(self) -> bytes | None:
        if not self.used:  # the signature is checked only if the token is used
            self.used, self.secret = True, self._read()
        return self.secret

    def make(self) -> bytes:
        self.secret = secrets.token_bytes(_SIZE)
        self.made = True
        return self.secret


class _SessionPlace:
    """Keeps the secret in the session, which marks the response as private."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self) -> bytes | None:
        kept = self._session.get(CSRF_SECRET)
        return _decoded(kept.encode("ascii", "replace")) if isinstance(kept, str) else None

    def make(self) -> bytes:
        secret = secrets.token_bytes(_SIZE)
        self._session[CSRF_SECRET] = urlsafe_b64encode(secret).decode("ascii")
        return secret


def _decoded(value: bytes) -> bytes | None:
    try:
        secret = urlsafe_b64decode(value)
    except ValueError:
        return None
    return secret if len(secret) == _SIZE else None


def _mask(secret: bytes) -> str:
    mask = secrets.token_bytes(_SIZE)
    return urlsafe_b64encode(mask + _xor(mask, secret)).rstrip(b"=").decode("ascii")


def _unmask(token: str) -> bytes | None:
    try:
        both = urlsafe_b64decode(token.encode("ascii") + b"==")
    except ValueError:
        return None
    return _xor(both[:_SIZE], both[_SIZE:]) if len(both) == 2 * _SIZE else None


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one) ^ int.from_bytes(other)).to_bytes(_SIZE)


def _origin_of(url: str) -> str | None:
    """Return the origin of a URL, serialized as browsers do it (RFC 6454 6.2); None if the URL has none."""
    try:
        parts = urlsplit(url)
        name, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not parts.scheme or not name:
        return None
    name = f"[{name}]" if ":" in name else name
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{name}" if port in (None, default) else f"{parts.scheme}://{name}:{port}"
