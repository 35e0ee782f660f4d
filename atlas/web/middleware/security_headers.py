"""Header fields that restrict what browsers do with the pages of a site.

Sources: Content Security Policy Level 3, RFC 6797 (Strict-Transport-Security), Referrer Policy, Permissions Policy, the
HTML standard (Cross-Origin-Opener-Policy, X-Frame-Options), the Fetch standard (X-Content-Type-Options).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from atlas.web.adapters import any_mode
from atlas.web.headers import encode_field
from atlas.web.option_checks import check_number
from atlas.web.requests.request_head import RequestHead
from atlas.web.responses.response import Response

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
"""The default content security policy: scripts, styles and images of the site itself only."""


class SecurityHeaders:
    """Adds security fields to responses; a field that the controller has set stays.

    :param csp: directives and sources of the content security policy, :data:`DEFAULT_POLICY` by default. ``{nonce}`` in
        a source stands for a nonce that is new for each request: ``request.state.csp_nonce``, for
        ``<script nonce="{{ request.state.csp_nonce }}">``. None for no policy.
    :param csp_report_only: whether violations are only reported; False by default.
    :param hsts: seconds for which browsers use TLS only; sent over TLS only (RFC 6797 7.2). A year by default; None for
        no field.
    :param hsts_subdomains: whether this includes subdomains; True by default.
    :param hsts_preload: whether browsers may ship with this setting; False by default.
    :param frame_options: which sites may embed the pages, for browsers without ``frame-ancestors``: ``"DENY"``, the
        default, ``"SAMEORIGIN"``, or None for no field.
    :param referrer_policy: what other sites learn of the URL that a visitor comes from; None for no field.
    :param permissions_policy: features and the origins that may use them: ``{"camera": (), "fullscreen": ("self",)}``;
        None, the default, for no field.
    :param opener_policy: which windows keep a reference to a page of this site; None for no field.
    :param nosniff: whether browsers have to use the ``content-type`` as it is; True by default.
    :raises TypeError: for a value of the wrong type.
    :raises ValueError: for an unknown value, or a malformed directive or source.
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
        self._parts: list[bytes] = []
        if _NONCE in policy:
            self._parts = [part.encode("ascii") for part in policy.split(_NONCE)]
        elif policy:
            fields[self._csp_name.decode()] = policy
        self._insecure = tuple(encode_field(name, value) for name, value in fields.items())
        hsts_field = _hsts(hsts, hsts_subdomains, hsts_preload)
        self._secure = self._insecure if hsts_field is None else (*self._insecure, hsts_field)

    @any_mode(waits=False)
    def before(self, request: RequestHead) -> None:
        """Create the nonce of the request, if the policy has one."""
        if self._parts:
            request.state.csp_nonce = secrets.token_urlsafe(16)

    @any_mode(waits=False)
    def after(self, request: RequestHead, response: Response) -> None:
        """Add the fields that the response does not have."""
        raw = response.raw_headers
        present = {name for name, _ in raw}
        raw += [field for field in (self._secure if request.is_secure else self._insecure) if field[0] not in present]
        # The policy of a 304 would replace that of the stored page, which contains another nonce.
        if self._parts and self._csp_name not in present and response.status_code != 304:
            nonce = b"'nonce-" + request.state.csp_nonce.encode("ascii") + b"'"
            raw.append((self._csp_name, nonce.join(self._parts)))


def _one_of(setting: str, value: str, known: Iterable[str]) -> str:
    if value not in known:
        raise ValueError(f"SecurityHeaders: {setting}: expected one of {', '.join(sorted(known))}, got {value!r}")
    return value


def _policy(directives: Directives) -> str:
    """Serialize a policy (CSP3 2.2.1); no source may start another directive."""
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
    """Serialize features and allow-lists as a structured field (Permissions Policy 5.1)."""
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
    check_number("SecurityHeaders: hsts", seconds, 0)
    if preload and (not subdomains or seconds < 31536000):
        raise ValueError("SecurityHeaders: hsts_preload: the lists want hsts_subdomains and a year at least")
    value = f"max-age={seconds}" + "; includeSubDomains" * subdomains + "; preload" * preload
    return encode_field("strict-transport-security", value)
