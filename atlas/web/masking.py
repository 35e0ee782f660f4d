"""What must not be shown: values are told from their names, and replaced before anybody sees them."""

from __future__ import annotations

import re
import reprlib
from typing import Any

__all__ = ["MASK", "is_secret", "masked", "shown"]

MASK = "••••••••"
_LONGEST = 600  # characters of one value,
_LONGEST_INSIDE = 160  # of one inside of another,
_LONGEST_OF_ALL = 2000  # and of all of it together

_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_WORDS = {
    "apikey", "auth", "authorization", "bearer", "cookie", "cookies", "credential", "credentials", "csrf", "csrftoken",
    "cvc", "cvv", "dsn", "jwt", "key", "keys", "nonce", "otp", "passcode", "passphrase", "passwd", "password",
    "passwords", "pin", "private", "pwd", "secret", "secrets", "session", "sessionid", "signature", "ssn", "token",
    "tokens",
}  # fmt: skip
_PART = re.compile(r"passw|secret|token|apikey|credential", re.IGNORECASE)

# In the text of a value: a name, something that says "is", and a string. `{'token': 'x'}`, `Login(password='x')`,
# `(b'cookie', b'x')`; and what follows the word Bearer or Basic, wherever it stands.
_STRING = r"""b?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_NAMED = re.compile(rf"""(?P<name>[A-Za-z_][\w-]*)(?P<is>['"]?\s*(?::[\w\s.|\[\]]+=|[:=,])\s*)(?P<value>{_STRING})""")
_SCHEME = re.compile(r"\b(Bearer|Basic|Digest) +[\w.~+/=-]{4,}", re.IGNORECASE)
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^\s:/@]*):[^\s/@]+(?=@)")


def is_secret(name: object) -> bool:
    """Whether what has this name is nobody's business: ``password``, ``API_KEY``, ``csrfToken``, ``Set-Cookie``."""
    text = name.decode("latin-1") if isinstance(name, bytes) else name
    if not isinstance(text, str) or text.endswith(("Error", "Exception")):
        return False  # "KeyError: 'name'" tells of a name, not of a key
    return any(word.lower() in _WORDS for word in _WORD.findall(text)) or _PART.search(text) is not None


def masked(text: str) -> str:
    """A text without the values in it whose names speak of a secret."""
    text = _NAMED.sub(_mask_named, text)
    text = _SCHEME.sub(rf"\1 {MASK}", text)
    return _PASSWORD_IN_URL.sub(rf"\1:{MASK}", text)


def _mask_named(found: re.Match[str]) -> str:
    if not is_secret(found["name"]):
        return found[0]
    return f"{found['name']}{found['is']}'{MASK}'"


def shown(name: object, value: object) -> str:
    """A value as text to look at: masked, not too long, and whatever its own ``repr`` does, without an exception."""
    if is_secret(name) and value is not None and not callable(value):
        return MASK
    try:
        return _Shortened().repr(value)
    except Exception as error:
        return f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"


class _Shortened(reprlib.Repr):
    """Values with their insides, as far as they are of use."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = 20
        self.maxother = self.maxlong = _LONGEST

    def repr(self, x: Any) -> str:
        return _cut(masked(super().repr(x)), _LONGEST_OF_ALL)

    def repr_str(self, x: str, level: int) -> str:
        most = self._most(level)
        return repr(x) if len(x) <= most else f"{x[:most]!r}… {len(x):,} characters"

    def repr_bytes(self, x: bytes, level: int) -> str:
        most = self._most(level)
        return repr(x) if len(x) <= most else f"{x[:most]!r}… {len(x):,} bytes"

    def _most(self, level: int) -> int:
        return _LONGEST if level == self.maxlevel else _LONGEST_INSIDE

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
            # Masked before it is cut, for half a string is not seen to be one.
            return _cut(masked(repr(x)))
        except Exception as error:
            return f"<{type(x).__name__}, whose repr raised {type(error).__name__}>"


def _cut(text: str, most: int = _LONGEST) -> str:
    return text if len(text) <= most else f"{text[:most]}… {len(text):,} characters"
