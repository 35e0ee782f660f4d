"""Masking: values whose names suggest a secret are replaced on the debug page."""

from __future__ import annotations

import re
import reprlib
from typing import Any

from atlas.web.errors.secret_formats import BLOCKS, UNQUOTED, mask_short_options

__all__ = ["MASK", "is_secret", "masked", "masked_source", "shown"]

MASK = "••••••••"
_MAX_VALUE = 600  # characters of one value
_MAX_NESTED = 160  # characters of a value inside another
_MAX_TOTAL = 2000  # characters of a value with all that is inside

_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_WORDS = {
    "apikey", "auth", "authorization", "bearer", "cookie", "cookies", "credential", "credentials", "creds", "csrf",
    "csrftoken", "cvc", "cvv", "dsn", "hmac", "jsessionid", "jwt", "key", "keys", "nonce", "otp", "pass", "passcode",
    "passkey", "passphrase", "passwd", "password", "passwords", "phpsessid", "pin", "private", "pw", "pwd", "salt",
    "secret", "secrets", "session", "sessionid", "sid", "sig", "signature", "ssn", "token", "tokens", "totp", "xsrf",
}  # fmt: skip
# Also inside or at the end of a word: "dbpass", but not "compass".
_PART = re.compile(
    r"passw|pwd|secret|token|apikey|credential|(?<!com)(?<!by)(?<!tres)(?<!sur)(?<!over)(?<!under)pass(?![a-z])",
    re.IGNORECASE,
)

# What is replaced in a text. A name begins where none can have begun before, so that the time is linear.
# First a name, a separator and a string, as in `{'token': 'x'}`, `Login(password='x')`,
# `(b'cookie', b'x')`, `['mysql', '--password', 'x']`.
_STRING = r"""b?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_NAMED = re.compile(
    rf"""(?<![\w-])(?:-{{1,2}})?(?P<name>[A-Za-z_][\w-]*)"""
    rf"""(?P<is>['"]?\s*(?::[\w\s.|\[\]]+=|=>|[:=,])\s*)(?P<value>{_STRING})"""
)
# The same inside another string, whose quotes are escaped: `\"token\": \"x\"`.
_NAMED_ESCAPED = re.compile(
    r"""(?<![\w-])(?P<name>[A-Za-z_][\w-]*)(?P<is>\\+['"]\s*[:,]\s*)"""
    r"""(?P<value>\\+['"](?:[^'"\\]|\\+[^'"\\])*\\*['"])"""
)
# Of a form, a query string or a file of variables, as in `user=ada&password=x`; also inside another URL.
_PAIR = re.compile(
    r"""(?<![\w.%\]-])(?:-{1,2})?(?P<name>[A-Za-z_][\w.%\[\]-]*?)(?P<is>=)(?P<value>[^\s&;,'"<>(){}\\]+)"""
)
_ENCODED_PAIR = re.compile(
    r"""(?:(?<=%3F)|(?<=%26))(?P<name>[A-Za-z_][\w.-]*)(?P<is>%3D)(?P<value>(?:(?!%26)[^\s&'"\\])+)""", re.IGNORECASE
)
# A field of a header, to the end of its line; a line `password: x`; a part of a multipart form.
_FIELD = re.compile(
    r"""(?<![\w-])(?P<name>(?:set-)?cookie|(?:proxy-)?authorization|x-[\w-]+)(?P<is>:[ \t]*)(?P<value>[^\r\n'"\\]+)""",
    re.IGNORECASE,
)
_LINE = re.compile(
    r"""(?<![\w-])(?P<name>[A-Za-z_][\w-]*)(?P<is>:[ \t]+)(?P<value>[^\s'",\\]+)(?=[ \t]*(?:$|['",\\]))""", re.MULTILINE
)
_PART_OF_FORM = re.compile(
    r"""name="(?P<name>[^"\r\n]+)"(?P<is>.{0,200}?(?:(?:\\r\\n){2}|(?:\r?\n){2}))(?P<value>.+?)(?=\\r\\n|[\r\n']|$)""",
    re.DOTALL,
)
_OTHERS = (
    (re.compile(r"\b(Bearer|Basic|Digest) +[\w.~+/=-]{4,}", re.IGNORECASE), rf"\1 {MASK}"),
    (re.compile(r"""(?<=://)([^\s:/@'"?#]*):[^\s/'"?#]+(?=@)"""), rf"\1:{MASK}"),
    (re.compile(r"""(?<=://)[^\s:/@'"?#]{16,}(?=@)"""), MASK),  # a token in the place of a user
    (re.compile(r"""(?<![\w/@.:+-])(?!mailto:)([\w.+~-]+):[^\s:/@'"]+(?=@[\w\[])"""), rf"\1:{MASK}"),
    (re.compile(r"""((?:^|\s)(?:-u|--user|--proxy-user)[ =]?['"]?[^\s:'"]+):[^\s'"]+"""), rf"\1:{MASK}"),  # of curl
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), MASK),  # a JSON Web Token (RFC 7519)
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL), MASK),
)


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

    :param text: a message, or the ``repr`` of a value.
    :returns: the text with :data:`MASK` in the place of each value whose name suggests a secret, and of passwords in
        URLs, credentials and keys.
    """
    for pattern in BLOCKS:
        text = pattern.sub(_mask_value, text)
    text = _mask_quoted(mask_short_options(text, _replace_value))
    for pattern in UNQUOTED:
        text = pattern.sub(_mask_value, text)
    return text


def _mask_quoted(text: str) -> str:
    text = _mask_named(text)
    for pattern in (_NAMED_ESCAPED, _FIELD, _ENCODED_PAIR, _PAIR, _LINE, _PART_OF_FORM):
        text = pattern.sub(_mask_value, text)
    for pattern, replacement in _OTHERS:
        text = pattern.sub(replacement, text)
    return text


def masked_source(line: str) -> str:
    """Mask the secrets in a line of source: in its strings, and where a string is assigned to a name.

    :param line: the line. Without any quotes it may be part of a longer string; but `key = value` is code.
    """
    if "'" not in line and '"' not in line:
        return _mask_quoted(line)
    parts, end = [], 0
    for found in re.finditer(_STRING, line):
        parts += [line[end : found.start()], masked(found[0])]
        end = found.end()
    rest = line[end:]
    return _mask_named("".join(parts) + (masked(rest) if "'" in rest or '"' in rest else rest))


def _mask_named(text: str) -> str:
    """Mask strings behind a name. A string behind a name that is no secret may be a name itself, as in a list."""
    parts, copied, at = [], 0, 0
    while (found := _NAMED.search(text, at)) is not None:
        at = found.end("name")
        if is_secret(found["name"]):
            parts += [text[copied : found.start("value")], f"'{MASK}'"]
            copied = at = found.end()
    return "".join([*parts, text[copied:]])


def _mask_value(found: re.Match[str]) -> str:
    if not is_secret(found["name"]):
        return found[0]
    return _replace_value(found)


def _replace_value(found: re.Match[str]) -> str:
    return found[0][: found.start("value") - found.start()] + MASK


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
