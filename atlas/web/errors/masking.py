"""Masking: values whose names suggest a secret are replaced on the debug page."""

from __future__ import annotations

import re
import reprlib
from typing import Any

__all__ = ["MASK", "is_secret", "masked", "shown"]

MASK = "••••••••"
_MAX_VALUE = 600  # characters of one value
_MAX_NESTED = 160  # characters of a value inside another
_MAX_TOTAL = 2000  # characters of a value with all that is inside

_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_WORDS = {
    "apikey", "auth", "authorization", "bearer", "cookie", "cookies", "credential", "credentials", "csrf", "csrftoken",
    "cvc", "cvv", "dsn", "jwt", "key", "keys", "nonce", "otp", "passcode", "passphrase", "passwd", "password",
    "passwords", "pin", "private", "pwd", "secret", "secrets", "session", "sessionid", "signature", "ssn", "token",
    "tokens",
}  # fmt: skip
_PART = re.compile(r"passw|secret|token|apikey|credential", re.IGNORECASE)

# In the text of a value: a name, a separator, and a string, as in `{'token': 'x'}`, `Login(password='x')`,
# `(b'cookie', b'x')`; and whatever follows "Bearer", "Basic" or "Digest".
_STRING = r"""b?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_NAMED = re.compile(rf"""(?P<name>[A-Za-z_][\w-]*)(?P<is>['"]?\s*(?::[\w\s.|\[\]]+=|[:=,])\s*)(?P<value>{_STRING})""")
_SCHEME = re.compile(r"\b(Bearer|Basic|Digest) +[\w.~+/=-]{4,}", re.IGNORECASE)
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^\s:/@]*):[^\s/@]+(?=@)")


def is_secret(name: object) -> bool:
    """Return whether a name suggests a secret: ``password``, ``API_KEY``, ``csrfToken``, ``Set-Cookie``.

    :param name: the name of a variable, a key or a header field; False for what is neither ``str`` nor ``bytes``.
    """
    text = name.decode("latin-1") if isinstance(name, bytes) else name
    if not isinstance(text, str) or text.endswith(("Error", "Exception")):
        return False  # "KeyError: 'name'": the string is a name, not a secret
    return any(word.lower() in _WORDS for word in _WORD.findall(text)) or _PART.search(text) is not None


def masked(text: str) -> str:
    """Mask the secrets in a text.

    :param text: source code, or the ``repr`` of a value.
    :returns: the text with :data:`MASK` in the place of each string whose name suggests a secret.
    """
    text = _NAMED.sub(_mask_named, text)
    text = _SCHEME.sub(rf"\1 {MASK}", text)
    return _PASSWORD_IN_URL.sub(rf"\1:{MASK}", text)


def _mask_named(found: re.Match[str]) -> str:
    if not is_secret(found["name"]):
        return found[0]
    return f"{found['name']}{found['is']}'{MASK}'"


def shown(name: object, value: object) -> str:
    """Format a value for display.

    :param name: the name of the value.
    :param value: the value.
    :returns: its ``repr``, masked and shortened; a message if its ``repr`` raises.
    """
    if is_secret(name) and value is not None and not callable(value):
        return MASK
    try:
        return _Shortened().repr(value)
    except Exception as error:
        return f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"


class _Shortened(reprlib.Repr):
    """Formats nested values, and limits depth and size."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = 20
        self.maxother = self.maxlong = _MAX_VALUE

    def repr(self, x: Any) -> str:
        return _cut(masked(super().repr(x)), _MAX_TOTAL)

    def repr_str(self, x: str, level: int) -> str:
        limit = self._limit(level)
        return repr(x) if len(x) <= limit else f"{x[:limit]!r}… {len(x):,} characters"

    def repr_bytes(self, x: bytes, level: int) -> str:
        limit = self._limit(level)
        return repr(x) if len(x) <= limit else f"{x[:limit]!r}… {len(x):,} bytes"

    def _limit(self, level: int) -> int:
        return _MAX_VALUE if level == self.maxlevel else _MAX_NESTED

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        if level <= 0:
            return "{…}" if x else "{}"
        items = [
            f"{self.repr1(key, level - 1)}: {MASK if is_secret(key) else self.repr1(value, level - 1)}"
            for key, value in list(x.items())[: self.maxdict]
        ]
        left = len(x) - len(items)
        return "{" + ", ".join([*items, *([f"… {left} more"] if left else [])]) + "}"

    def repr_instance(self, x: Any, level: int) -> str:
        try:
            # Mask before cutting: the pattern does not match half a string.
            return _cut(masked(repr(x)))
        except Exception as error:
            return f"<{type(x).__name__}, whose repr raised {type(error).__name__}>"


def _cut(text: str, limit: int = _MAX_VALUE) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… {len(text):,} characters"
