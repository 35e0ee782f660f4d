"""The session of a request: a dict that knows whether it was looked at and changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from enum import Enum
from typing import Any, NamedTuple

import msgspec

__all__ = ["CSRF_SECRET", "Fate", "Flash", "Kept", "Session"]

# Keys of Atlas's own. A program's keys begin with anything else than an underscore.
CSRF_SECRET = "_csrf"
_FLASHES = "_flashes"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Flash(NamedTuple):
    """A message for the next page that a visitor sees."""

    message: str
    category: str


class Kept(NamedTuple):
    """What was kept of a session, and the seconds since its cookie was set."""

    data: bytes
    age: float = 0.0


class Fate(Enum):
    """What becomes of a session at the end of its request."""

    LEAVE = "nothing to do"
    SAVE = "it has changed"
    RENEW = "it has changed, and goes by another name from now on"
    DELETE = "it is empty now"


class Session(MutableMapping[str, Any]):
    """Values that a visitor's requests share. They are kept as JSON: text, numbers, booleans, None, lists and dicts.

    A change inside of a value (``session["cart"].append(...)``) is noticed too.

    :param load: gives what was kept, or None for nothing; called when the session is first looked at.
    :param name: the name under which a store has it.

    :ivar age: seconds since its cookie was set; None where there was none, and before anybody has looked.
    """

    __slots__ = ("_before", "_load", "_rotated", "_sealed", "_values", "age", "name")

    def __init__(self, load: Callable[[], Kept | None] | None = None, name: str | None = None) -> None:
        self._load = load
        self._values: dict[str, Any] | None = None
        self._before: bytes | None = None
        self._rotated = False
        self._sealed = False
        self.name = name
        self.age: float | None = None

    @property
    def accessed(self) -> bool:
        """Whether anybody looked, so that the response depends on who asks."""
        return self._values is not None

    @property
    def modified(self) -> bool:
        """Whether it is to be kept anew."""
        return self.fate()[0] is not Fate.LEAVE

    @property
    def is_new(self) -> bool:
        """Whether nothing was kept of this visitor before."""
        self._known()
        return self._before is None

    def _known(self) -> dict[str, Any]:
        if self._values is None:
            kept = self._load() if self._load is not None else None
            if kept is not None:
                self._before, self.age = kept
            self._values = _values_of(self._before)
        return self._values

    def _changing(self) -> dict[str, Any]:
        values = self._known()
        if self._sealed:
            raise RuntimeError("the session was changed after the response had begun: it is saved already")
        return values

    def __getitem__(self, key: str) -> Any:
        return self._known()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(f"session: expected a str as the key, got {key!r}")
        self._changing()[key] = value

    def __delitem__(self, key: str) -> None:
        del self._changing()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known())

    def __len__(self) -> int:
        return len(self._known())

    def __contains__(self, key: object) -> bool:
        return key in self._known()

    def __repr__(self) -> str:
        return f"Session({self._values!r})" if self._values is not None else "Session(<not looked at>)"

    def clear(self) -> None:
        """Forget everything, as at logout. What is put in afterwards goes by another name."""
        self._changing().clear()
        self._rotated = True

    def rotate(self) -> None:
        """Give it another name and keep what is in it: call it at login, and whenever a visitor's rights change.

        A name that an attacker knew, or planted, is worth nothing then. CSRF tokens from before end with it.
        """
        self._changing().pop(CSRF_SECRET, None)
        self._rotated = True

    def flash(self, message: str, category: str = "info") -> None:
        """Keep a message for the next page."""
        self._changing().setdefault(_FLASHES, []).append([str(message), category])

    def flashes(self) -> list[Flash]:
        """The messages that were kept, the first one first. They are gone then."""
        if _FLASHES not in self:
            return []
        return [Flash(message, category) for message, category in self._changing().pop(_FLASHES)]

    def fate(self) -> tuple[Fate, bytes]:
        """What is to be done at the end of the request, and the bytes to keep.

        :raises TypeError: if a value has no JSON form.
        """
        if self._values is None:
            return Fate.LEAVE, b""
        if not self._values:
            return (Fate.LEAVE, b"") if self._before is None else (Fate.DELETE, b"")
        try:
            now = _encode(self._values)
        except TypeError as error:
            raise TypeError(f"session: a value cannot be kept as JSON: {error}") from None
        if self._rotated:
            return Fate.RENEW, now
        return (Fate.LEAVE if now == self._before else Fate.SAVE), now

    def seal(self) -> None:
        """It is saved: whoever changes it from now on is told so."""
        self._sealed = True


def _values_of(kept: bytes | None) -> dict[str, Any]:
    try:
        return _decode(kept) if kept is not None else {}
    except msgspec.DecodeError:  # another version's, or another program's: it means nothing to us
        return {}
