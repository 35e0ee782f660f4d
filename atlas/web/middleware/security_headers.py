"""Header fields that make browsers careful with a site's pages.

Sources: Content Security Policy Level 3, RFC 6797 (Strict-Transport-Security), Referrer Policy, Permissions Policy, the
HTML standard (Cross-Origin-Opener-Policy, X-Frame-Options), the Fetch standard (X-Content-Type-Options).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

from atlas.web.adapters import any_mode
from atlas.web.headers import encode_field
from atlas.web.middleware.options import whole_number

if TYPE_CHECKING:
    from atlas.web.request import RequestHead
    from atlas.web.response import Response

__all__ = ["DEFAULT_POLICY", "SecurityHeaders"]

Directives: TypeAlias = Mapping[str, str | Iterable[str]]

_NONCE = "{nonce}"
_WORD = re.compile(r"[a-z][a-z0-9\-]*")
_REFERRER_POLICIES = frozenset(
    [
        "no-referrer",
        "no-referrer-when-downgrade",
        "origin",
        "origin-when-cross-origin",
        "same-origin",
        "strict-origin",
        "strict-origin-when-cross-origin",
        "unsafe-url",
    ]
)
_OPENER_POLICIES = frozenset(["unsafe-none", "same-origin-allow-popups", "same-origin", "noopener-allow-popups"])

DEFAULT_POLICY: Directives = {
    "default-src": ("'self'",),
    "script-src": ("'self'", _NONCE),
    "style-src": ("'self'", _NONCE),
    "img-src": ("'self'", "data:"),
    "object-src": ("'none'",),
    "base-uri": ("'self'",),
    "form-action": ("'self'",),
    "frame-ancestors": ("'none'",),
}


class SecurityHeaders:
    """Adds the fields below to every response that has none of its own of that name.

    :param csp: the content security policy: directives and their sources. ``{nonce}`` in it stands for a word that is
        new for each request: ``request.state.csp_nonce``, for ``<script nonce="{{ request.state.csp_nonce }}">``.
        None for no policy.
    :param csp_report_only: only report what the policy would forbid.
    :param hsts: seconds for which browsers shall ask by TLS only; sent over TLS only (RFC 6797 7.2). None for none.
    :param hsts_subdomains: the names below this one too. :param hsts_preload: may be built into browsers.
    :param frame_options: who may show the pages in a frame, for browsers that do not know ``frame-ancestors``.
    :param referrer_policy: what other sites learn of the address that a visitor comes from.
    :param permissions_policy: features and who may use them: ``{"camera": (), "fullscreen": ("self",)}``.
    :param opener_policy: which windows may keep a handle on a page of ours.
    :param nosniff: responses are what their content type says.
    :raises TypeError: for a value of the wrong type. :raises ValueError: for one that the field does not know.
    """

    def __init__(
        self,
        *,
        csp: Directives | None = DEFAULT_POLICY,
        csp_report_only: bool = False,
        hsts: int | None = 31536000,
        hsts_subdomains: bool = True,
        hsts_preload: bool = False,
        frame_options: Literal["DENY", "SAMEORIGIN"] | None = "DENY",
        referrer_policy: str | None = "strict-origin-when-cross-origin",
        permissions_policy: Mapping[str, Iterable[str]] | None = None,
        opener_policy: str | None = "same-origin",
        nosniff: bool = True,
    ) -> None:
        fields: dict[str, str] = {}
        if frame_options is not None:
            fields["x-frame-options"] = _one_of("frame_options", frame_options, {"DENY", "SAMEORIGIN"})
        if referrer_policy is not None:
            fields["referrer-policy"] = _one_of("referrer_policy", referrer_policy, _REFERRER_POLICIES)
        if opener_policy is not None:
            fields["cross-origin-opener-policy"] = _one_of("opener_policy", opener_policy, _OPENER_POLICIES)
        if permissions_policy:
            fields["permissions-policy"] = _permissions(permissions_policy)
        if nosniff:
            fields["x-content-type-options"] = "nosniff"
        policy = _policy(csp) if csp else ""
        self._csp_name = b"content-security-policy" + b"-report-only" * csp_report_only
        self._pieces: list[bytes] = []
        if _NONCE in policy:
            self._pieces = [piece.encode("ascii") for piece in policy.split(_NONCE)]
        elif policy:
            fields[self._csp_name.decode()] = policy
        self._plain = tuple(encode_field(name, value) for name, value in fields.items())
        hsts_field = _hsts(hsts, hsts_subdomains, hsts_preload)
        self._secure = self._plain if hsts_field is None else (*self._plain, hsts_field)

    @any_mode(waits=False)
    def before(self, request: RequestHead) -> None:
        """Make this request's nonce, if the policy has a place for one."""
        if self._pieces:
            request.state.csp_nonce = secrets.token_urlsafe(16)

    @any_mode(waits=False)
    def after(self, request: RequestHead, response: Response) -> None:
        """Add the fields that are not there yet."""
        raw = response.raw_headers
        there = {name for name, _ in raw}
        raw += [field for field in (self._secure if request.is_secure else self._plain) if field[0] not in there]
        # A 304 takes the policy along to the page that the browser has kept, which has another nonce in it.
        if self._pieces and self._csp_name not in there and response.status_code != 304:
            nonce = b"'nonce-" + request.state.csp_nonce.encode("ascii") + b"'"
            raw.append((self._csp_name, nonce.join(self._pieces)))


def _one_of(setting: str, value: str, known: Iterable[str]) -> str:
    if value not in known:
        raise ValueError(f"SecurityHeaders: {setting}: expected one of {', '.join(sorted(known))}, got {value!r}")
    return value


def _policy(directives: Directives) -> str:
    """A policy as one line (CSP3 2.2.1): nothing in a directive may begin another one."""
    if not isinstance(directives, Mapping):
        raise TypeError("SecurityHeaders: csp: expected directives, such as {'default-src': (\"'self'\",)}")
    parts = []
    for name, sources in directives.items():
        words = sources.split() if isinstance(sources, str) else list(sources)
        if not _WORD.fullmatch(name):
            raise ValueError(f"SecurityHeaders: csp: {name!r} is no directive")
        for word in words:
            if not word.isascii() or not word.isprintable() or any(mark in word for mark in ";, "):
                raise ValueError(f"SecurityHeaders: csp: {name}: {word!r} is no source")
        parts.append(" ".join([name, *words]))
    return "; ".join(parts)


def _permissions(features: Mapping[str, Iterable[str]]) -> str:
    """Features and allow-lists as a dictionary of structured fields (Permissions Policy 5.1)."""
    parts = []
    for feature, allowed in features.items():
        if isinstance(allowed, str):
            raise TypeError(f"SecurityHeaders: permissions_policy: {feature}: expected a list, such as [{allowed!r}]")
        words = [word if word in ("self", "*") else f'"{word}"' for word in allowed]
        if not _WORD.fullmatch(feature) or any('"' in word[1:-1] or not word.isascii() for word in words):
            raise ValueError(f"SecurityHeaders: permissions_policy: {feature!r}: {words!r} is not possible")
        parts.append(f"{feature}=" + ("*" if words == ["*"] else f"({' '.join(words)})"))
    return ", ".join(parts)


def _hsts(seconds: int | None, subdomains: bool, preload: bool) -> tuple[bytes, bytes] | None:
    if seconds is None:
        return None
    whole_number("SecurityHeaders: hsts", seconds, 0)
    if preload and (not subdomains or seconds < 31536000):
        raise ValueError("SecurityHeaders: hsts_preload: the lists want hsts_subdomains and a year at least")
    value = f"max-age={seconds}" + "; includeSubDomains" * subdomains + "; preload" * preload
    return encode_field("strict-transport-security", value)
