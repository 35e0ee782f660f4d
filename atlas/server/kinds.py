"""What a setting may hold: one class per kind of value, with its check for Python values and its reading of text.

``check`` takes what Python or TOML hands over, ``parse`` the text of a flag or an environment variable. Both return the
value, or raise :class:`TypeError` or :class:`ValueError` with "expected ..., got ..."; the caller names the setting.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

__all__ = ["AccessFormat", "Choice", "Headers", "Kind", "Path", "Seconds", "Size", "Switch", "Text", "Whole"]

_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_SIZE = re.compile(r"(\d+) ?([kmg]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.6.2
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110, section 5.5, as latin-1


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value. ``metavar`` stands for it on the help page, ``expected`` in an error."""

    metavar: ClassVar[str] = "TEXT"

    @property
    def expected(self) -> str:
        return "text"

    def check(self, value: Any) -> Any:
        raise NotImplementedError

    def parse(self, text: str) -> Any:
        return self.check(text)

    def wrong_type(self, value: object) -> TypeError:
        return TypeError(f"expected {self.expected}, got {value!r}")

    def wrong_value(self, value: object) -> ValueError:
        return ValueError(f"expected {self.expected}, got {value!r}")


@dataclass(frozen=True, slots=True)
class Text(Kind):
    """Any text; ``start`` is what it has to begin with if it isn't empty."""

    start: str = ""

    @property
    def expected(self) -> str:
        return f"text that starts with {self.start!r}" if self.start else "text"

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self.wrong_type(value)
        if value and not value.startswith(self.start):
            raise self.wrong_value(value)
        return value


@dataclass(frozen=True, slots=True)
class Path(Kind):
    """A path, given as text or as anything with ``__fspath__``; kept as text."""

    metavar: ClassVar[str] = "PATH"

    @property
    def expected(self) -> str:
        return "a path"

    def check(self, value: Any) -> str:
        path = os.fspath(value) if isinstance(value, str | os.PathLike) else None
        if not isinstance(path, str):
            raise self.wrong_type(value)
        if "\0" in path:
            raise self.wrong_value(value)
        return path


@dataclass(frozen=True, slots=True)
class Choice(Kind):
    """One word of a few, in any case."""

    words: tuple[str, ...]
    metavar: ClassVar[str] = "WORD"

    @property
    def expected(self) -> str:
        return "one of " + ", ".join(self.words)

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self.wrong_type(value)
        word = value.lower()
        if word not in self.words:
            from difflib import get_close_matches  # only a mistake pays for it

            near = get_close_matches(word, self.words, n=1)
            raise ValueError(f"{self.wrong_value(value)}" + (f": did you mean {near[0]!r}?" if near else ""))
        return word


@dataclass(frozen=True, slots=True)
class Switch(Kind):
    """Yes or no."""

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
class Whole(Kind):
    """A whole number from ``least`` to ``most``."""

    least: int = 0
    most: int | None = None
    metavar: ClassVar[str] = "NUMBER"

    @property
    def expected(self) -> str:
        if self.most is None:
            return f"a whole number, {self.least} or more"
        return f"a whole number from {self.least} to {self.most}"

    def check(self, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong_type(value)
        if value < self.least or (self.most is not None and value > self.most):
            raise self.wrong_value(value)
        return value

    def parse(self, text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise self.wrong_value(text) from None
        return self.check(number)


@dataclass(frozen=True, slots=True)
class Size(Whole):
    """A number of bytes; as text also with a unit: ``8K``, ``100 MiB``. A unit is always a power of 1024."""

    metavar: ClassVar[str] = "SIZE"

    @property
    def expected(self) -> str:
        return f"a number of bytes, {self.least} or more (as text also 64K, 100M)"

    def parse(self, text: str) -> int:
        match = _SIZE.fullmatch(text.strip())
        if match is None:
            raise self.wrong_value(text)
        return self.check(int(match[1]) * _UNITS[match[2].lower()])


@dataclass(frozen=True, slots=True)
class Seconds(Kind):
    """A time in seconds; ``zero`` says whether none at all is a time too."""

    zero: bool = False
    metavar: ClassVar[str] = "SECONDS"

    @property
    def expected(self) -> str:
        return "a number of seconds, 0 or more" if self.zero else "a number of seconds above 0"

    def check(self, value: Any) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.wrong_type(value)
        if not math.isfinite(value) or value < 0 or (value == 0 and not self.zero):
            raise self.wrong_value(value)
        return float(value)

    def parse(self, text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise self.wrong_value(text) from None
        return self.check(number)


@dataclass(frozen=True, slots=True)
class Headers(Kind):
    """Response header fields: pairs, ``Name: value`` lines or a mapping; as text one line per field."""

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
        name, value = self._halves(item)
        if not _TOKEN.fullmatch(name) or not _FIELD_VALUE.fullmatch(value):
            raise self.wrong_value(item)
        return name, value

    def _halves(self, item: Any) -> tuple[str, str]:
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
class AccessFormat(Kind):
    """How a line of the access log looks: gunicorn's atoms, or ``json``."""

    @property
    def expected(self) -> str:
        return "a format of gunicorn's atoms, or 'json'"

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self.wrong_type(value)
        from atlas.server.access_formats import formatter  # only a format pays for it

        formatter(value, colours=False)
        return value
