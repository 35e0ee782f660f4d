"""The types of settings: how a value is checked, and how it is parsed from text.

``check`` takes a value from Python or TOML, ``parse`` the text of a flag or an environment variable. Both return the
value, or raise :class:`TypeError` or :class:`ValueError` with "expected ..., got ..."; the caller names the setting.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

__all__ = [
    "ANY_PROXY",
    "UNIX_SOCKET",
    "AccessLogFormat",
    "Boolean",
    "ByteSize",
    "Certificates",
    "Choice",
    "Headers",
    "Integer",
    "Path",
    "Proxies",
    "Seconds",
    "SettingType",
    "Strings",
    "Text",
    "Words",
]

ANY_PROXY = "*"
UNIX_SOCKET = "unix"

_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_SIZE = re.compile(r"(\d+) ?([kmg]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.6.2
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110, section 5.5, as latin-1


@dataclass(frozen=True, slots=True)
class SettingType:
    """The type of a setting."""

    multiple: ClassVar[bool] = False
    """Whether the flag may be repeated."""
    metavar: ClassVar[str] = "TEXT"
    """The placeholder for a value in the help of the command line."""

    @property
    def expected(self) -> str:
        """The description of a valid value, for error messages."""
        return "text"

    def check(self, value: Any) -> Any:
        """Return ``value`` in the form that the setting holds.

        :raises TypeError: for a value of the wrong type.
        :raises ValueError: for a value that is out of range.
        """
        raise NotImplementedError

    def parse(self, text: str) -> Any:
        """Return the value that ``text`` stands for.

        :raises ValueError: for a text that is no valid value.
        """
        return self.check(text)

    def wrong_type(self, value: object) -> TypeError:
        return TypeError(f"expected {self.expected}, got {value!r}")

    def wrong_value(self, value: object) -> ValueError:
        return ValueError(f"expected {self.expected}, got {value!r}")


@dataclass(frozen=True, slots=True)
class Text(SettingType):
    """Any text. ``prefix``: what a text that is not empty has to start with."""

    prefix: str = ""

    @property
    def expected(self) -> str:
        return f"text that starts with {self.prefix!r}" if self.prefix else "text"

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self.wrong_type(value)
        if value and not value.startswith(self.prefix):
            raise self.wrong_value(value)
        return value


@dataclass(frozen=True, slots=True)
class Path(SettingType):
    """A path: text or an object with ``__fspath__``, held as text. ``may_be_empty``: whether ``""`` is one."""

    may_be_empty: bool = False
    metavar: ClassVar[str] = "PATH"

    @property
    def expected(self) -> str:
        return "a path"

    def check(self, value: Any) -> str:
        path = os.fspath(value) if isinstance(value, str | os.PathLike) else None
        if not isinstance(path, str):
            raise self.wrong_type(value)
        if "\0" in path or not (path or self.may_be_empty):
            raise self.wrong_value(value)
        return path


@dataclass(frozen=True, slots=True)
class Choice(SettingType):
    """One of several words, in upper or lower case.

    ``aliases``: other values, as text, for some of them. ``hints``: what to say about values that are known elsewhere.
    """

    words: tuple[str, ...]
    aliases: tuple[tuple[str, str], ...] = ()
    hints: tuple[tuple[str, str], ...] = ()
    metavar: ClassVar[str] = "WORD"

    @property
    def expected(self) -> str:
        return "one of " + ", ".join(self.words)

    def check(self, value: Any) -> str:
        if isinstance(value, int) and self.aliases:  # such as a constant of the ssl module
            value = str(int(value))
        if not isinstance(value, str):
            raise self.wrong_type(value)
        word = dict(self.aliases).get(value, value.lower())
        if word not in self.words:
            from difflib import get_close_matches  # imported only for the error message

            near = get_close_matches(word, self.words, n=1)
            hint = dict(self.hints).get(word) or (f"did you mean {near[0]!r}?" if near else "")
            raise ValueError(f"{self.wrong_value(value)}" + (f": {hint}" if hint else ""))
        return word


@dataclass(frozen=True, slots=True)
class Boolean(SettingType):
    """True or false; as text also ``1``, ``yes``, ``on``, ``0``, ``no``, ``off``."""

    @property
    def expected(self) -> str:
        return "true or false"

    def check(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise self.wrong_type(value)
        return value

    def parse(self, text: str) -> bool:
        word = text.strip().lower()
        if word not in _TRUE and word not in _FALSE:
            raise self.wrong_value(text)
        return word in _TRUE


@dataclass(frozen=True, slots=True)
class Integer(SettingType):
    """An integer from ``minimum`` to ``maximum``."""

    minimum: int = 0
    maximum: int | None = None
    metavar: ClassVar[str] = "NUMBER"

    @property
    def expected(self) -> str:
        if self.maximum is None:
            return f"an integer, {self.minimum} or more"
        return f"an integer from {self.minimum} to {self.maximum}"

    def check(self, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong_type(value)
        if value < self.minimum or (self.maximum is not None and value > self.maximum):
            raise self.wrong_value(value)
        return value

    def parse(self, text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise self.wrong_value(text) from None
        return self.check(number)


@dataclass(frozen=True, slots=True)
class ByteSize(Integer):
    """A number of bytes; as text also with a unit, which is a power of 1024: ``8K``, ``100 MiB``."""

    metavar: ClassVar[str] = "SIZE"

    @property
    def expected(self) -> str:
        return f"a number of bytes, {self.minimum} or more (as text also 64K, 100M)"

    def parse(self, text: str) -> int:
        match = _SIZE.fullmatch(text.strip())
        if match is None:
            raise self.wrong_value(text)
        return self.check(int(match[1]) * _UNITS[match[2].lower()])


@dataclass(frozen=True, slots=True)
class Seconds(SettingType):
    """A number of seconds. ``allow_zero``: whether 0 is valid."""

    allow_zero: bool = False
    metavar: ClassVar[str] = "SECONDS"

    @property
    def expected(self) -> str:
        return "a number of seconds, 0 or more" if self.allow_zero else "a number of seconds above 0"

    def check(self, value: Any) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.wrong_type(value)
        if not math.isfinite(value) or value < 0 or (value == 0 and not self.allow_zero):
            raise self.wrong_value(value)
        return float(value)

    def parse(self, text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise self.wrong_value(text) from None
        return self.check(number)


@dataclass(frozen=True, slots=True)
class Headers(SettingType):
    """Response header fields: a mapping, pairs or ``Name: value`` lines; as text one line per field."""

    multiple: ClassVar[bool] = True
    metavar: ClassVar[str] = "'NAME: VALUE'"

    @property
    def expected(self) -> str:
        return "'Name: value' header fields"

    def check(self, value: Any) -> tuple[tuple[str, str], ...]:
        if isinstance(value, str):
            return self.parse(value)
        if isinstance(value, Mapping):
            value = value.items()
        if not isinstance(value, Iterable):
            raise self.wrong_type(value)
        return tuple(self._field(item) for item in value)

    def parse(self, text: str) -> tuple[tuple[str, str], ...]:
        return tuple(self._field(line) for line in text.splitlines() if line.strip())

    def _field(self, item: Any) -> tuple[str, str]:
        name, value = self._split(item)
        if not _TOKEN.fullmatch(name) or not _FIELD_VALUE.fullmatch(value):
            raise self.wrong_value(item)
        return name, value

    def _split(self, item: Any) -> tuple[str, str]:
        if isinstance(item, str):
            name, colon, value = item.partition(":")
            if not colon:
                raise self.wrong_value(item)
            return name, value.strip(" \t")
        match item:
            case (str(name), str(value)):
                return name, value.strip(" \t")
        raise self.wrong_type(item)


@dataclass(frozen=True, slots=True)
class AccessLogFormat(SettingType):
    """The format of an access log line: gunicorn's atoms, or ``json``."""

    @property
    def expected(self) -> str:
        return "a format with gunicorn's atoms, or 'json'"

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self.wrong_type(value)
        from atlas.server.logs.access_formats import make_formatter  # imported only where a format is given

        make_formatter(value, use_colors=False)
        return value


@dataclass(frozen=True, slots=True)
class Strings(SettingType):
    """Several texts, such as paths or patterns. As text one per line, or separated as in ``PATH``."""

    multiple: ClassVar[bool] = True
    metavar: str = "TEXT"  # type: ignore[misc]  # of one of them

    @property
    def expected(self) -> str:
        return "a list of texts"

    def check(self, value: Any) -> tuple[str, ...]:
        if isinstance(value, str | os.PathLike):
            value = [value]
        if not isinstance(value, Iterable):
            raise self.wrong_type(value)
        return tuple(dict.fromkeys(self._item(item) for item in value))

    def parse(self, text: str) -> tuple[str, ...]:
        items = text.replace("\n", os.pathsep).split(os.pathsep)
        return self.check([item.strip() for item in items if item.strip()])

    def _item(self, item: Any) -> str:
        text = os.fspath(item) if isinstance(item, str | os.PathLike) else None
        if not isinstance(text, str):
            raise self.wrong_type(item)
        if not text or "\0" in text:
            raise self.wrong_value(item)
        return text


@dataclass(frozen=True, slots=True)
class Words(SettingType):
    """Several of some words: an iterable, or text with commas. ``alone``: a word that excludes all others."""

    words: tuple[str, ...]
    alone: str | None = None
    metavar: ClassVar[str] = "WORDS"

    @property
    def expected(self) -> str:
        several = [word for word in self.words if word != self.alone]
        return f"a list of {', '.join(several)}" + (f", or {self.alone!r} alone" if self.alone else "")

    def check(self, value: Any) -> tuple[str, ...]:
        if isinstance(value, str):
            value = [word.strip() for word in value.split(",") if word.strip()]
        if not isinstance(value, Iterable):
            raise self.wrong_type(value)
        words = tuple(dict.fromkeys(value))
        if not words or not set(words) <= set(self.words) or (self.alone in words and len(words) > 1):
            raise self.wrong_value(", ".join(map(str, words)))
        return words


@dataclass(frozen=True, slots=True)
class Proxies(SettingType):
    """Trusted proxies: IP addresses, networks, ``unix`` or ``*``; an iterable, or text with commas. Empty: none."""

    metavar: ClassVar[str] = "ADDRESSES"

    @property
    def expected(self) -> str:
        return "IP addresses, networks (10.0.0.0/8), 'unix' or '*', separated by commas"

    def check(self, value: Any) -> tuple[str, ...]:
        if isinstance(value, str):
            value = value.split(",")
        if not isinstance(value, Iterable):
            raise self.wrong_type(value)
        return tuple(dict.fromkeys(self._name(item) for item in value if not isinstance(item, str) or item.strip()))

    def _name(self, item: Any) -> str:
        from ipaddress import ip_network  # imported only where proxies are checked

        if not isinstance(item, str):
            raise self.wrong_type(item)
        name = item.strip()
        if name in (ANY_PROXY, UNIX_SOCKET):
            return name
        try:
            return str(ip_network(name))
        except ValueError:
            error = self.wrong_value(item)
        try:
            network = ip_network(name, strict=False)
        except ValueError:
            raise error from None
        raise ValueError(f"{error}: did you mean '{network}'?")  # 10.0.0.1/8: an address and the size of its network


@dataclass(frozen=True, slots=True)
class Certificates(SettingType):
    """TLS certificates of hosts: ``HOST=CERT,KEY``, or ``HOST=CERT`` for a key in the same file; as text one per line.

    A value is held as ``(host, cert, key)``, with None for no key. ``*.example.org`` is each host one level below.
    """

    multiple: ClassVar[bool] = True
    metavar: ClassVar[str] = "HOST=CERT,KEY"

    @property
    def expected(self) -> str:
        return "HOST=CERT,KEY"

    def check(self, value: Any) -> tuple[tuple[str, str, str | None], ...]:
        if isinstance(value, str):
            value = [line for line in value.splitlines() if line.strip()]
        if not isinstance(value, Iterable):
            raise self.wrong_type(value)
        return tuple(self._certificate(item) for item in value)

    def _certificate(self, item: Any) -> tuple[str, str, str | None]:
        match item:
            case str():
                host, _, files = item.partition("=")
                cert, _, key = files.partition(",")
            case (str(host), str(cert), str() | None as given):
                key = given or ""
            case _:
                raise self.wrong_type(item)
        host, cert, key = host.strip().lower(), cert.strip(), key.strip()
        if not host or not cert:
            raise self.wrong_value(item)
        return host, cert, key or None
