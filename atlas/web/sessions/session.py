"""The session of a request: a dict that records whether it was accessed and changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from enum import Enum
from typing import Any, NamedTuple

import msgspec

from atlas.web.json_encoding import encode_json

__all__ = ["CSRF_SECRET", "Flash", "Kept", "Session", "SessionAction"]

# Keys that Atlas uses. Keys of a program should not begin with an underscore.
CSRF_SECRET = "_csrf"
_FLASHES = "_flashes"
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Flash(NamedTuple):
    """A message for the next page that the visitor sees.

    :ivar message: the text.
    :ivar category: the kind of the message, such as ``info`` or ``error``.
    """

    message: str
    category: str


class Kept(NamedTuple):
    """A saved session.

    :ivar data: the values as JSON.
    :ivar age: seconds since its cookie was set.
    """

    data: bytes
    age: float = 0.0


class SessionAction(Enum):
    """What to do with a session at the end of its request."""

    LEAVE = "not changed"
    SAVE = "changed"
    RENEW = "changed, and to be saved under a new name"
    DELETE = "emptied"


class Session(MutableMapping[str, Any]):
    """Values that the requests of a visitor share: text, numbers, booleans, None, lists and dicts, saved as JSON.

    A change inside a value (``session["cart"].append(...)``) is noticed too.

    :param load: returns the saved session, or None; called when the session is first accessed. None for a new session.
    :param name: the name of the session in its store; None for none.

    :ivar age: seconds since the cookie was set; None if there was none, and before the first access.
    :ivar was_cleared: whether :meth:`clear` was called, so that no value is from a saved session.
    """

    __slots__ = ("_before", "_load", "_rotated", "_sealed", "_values", "age", "name", "was_cleared")

    def __init__(self, load: Callable[[], Kept | None] | None = None, name: str | None = None) -> None:
        self._load = load
        self._values: dict[str, Any] | None = None
        self._before: bytes | None = None
        self._rotated = False
        self._sealed = False
        self.was_cleared = False
        self.name = name
        self.age: float | None = None

    @property
    def accessed(self) -> bool:
        """Whether the session was accessed, so that the response depends on the visitor."""
        return self._values is not None

    @property
    def modified(self) -> bool:
        """Whether the session has to be saved."""
        return self.action()[0] is not SessionAction.LEAVE

    @property
    def is_new(self) -> bool:
        """Whether the visitor had no saved session."""
        self._known()
        return self._before is None

    @property
    def saved(self) -> bytes:
        """The values as they were saved, as JSON; ``b""`` for a new session."""
        self._known()
        return self._before or b""

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
        return f"Session({self._values!r})" if self._values is not None else "Session(<not accessed>)"

    def clear(self) -> None:
        """Remove all values, as at logout. Values that are set afterwards are saved under a new name."""
        self._changing().clear()
        self._rotated = self.was_cleared = True

    def rotate(self) -> None:
        """Save the session under a new name: call it at login, and when the rights of the visitor change.

        This prevents session fixation: a name that an attacker knows becomes invalid, and CSRF tokens too.
        """
        self._changing().pop(CSRF_SECRET, None)
        self._rotated = True

    def flash(self, message: str, category: str = "info") -> None:
        """Add a message for the next page.

        :param message: the text.
        :param category: the kind of the message, ``info`` by default.
        """
        self._changing().setdefault(_FLASHES, []).append([str(message), category])

    def flashes(self) -> list[Flash]:
        """Return the messages in their order, and remove them from the session."""
        if _FLASHES not in self:
            return []
        return [Flash(message, category) for message, category in self._changing().pop(_FLASHES)]

    def action(self) -> tuple[SessionAction, bytes]:
        """Return what to do at the end of the request.

        :returns: the action, and the values as JSON for :attr:`SessionAction.SAVE` and :attr:`SessionAction.RENEW`.
        :raises TypeError: for a value that has no JSON form.
        :raises ValueError: for text that is not Unicode, and for a value that contains itself.
        """
        if self._values is None:
            return SessionAction.LEAVE, b""
        if not self._values:
            return (SessionAction.LEAVE, b"") if self._before is None else (SessionAction.DELETE, b"")
        try:
            now = encode_json(self._values)
        except (TypeError, ValueError) as error:
            raise type(error)(f"session: a value cannot be kept as {error}") from error.__cause__
        if self._rotated:
            return SessionAction.RENEW, now
        return (SessionAction.LEAVE if now == self._before else SessionAction.SAVE), now

    def changes(self) -> bytes:
        """Return the values that this request has set, as JSON; ``b""`` if there are none."""
        before = _values_of(self._before)
        changed = {name: value for name, value in self._known().items() if name not in before or before[name] != value}
        return encode_json(changed) if changed else b""

    def seal(self) -> None:
        """Mark the session as saved: changing it from now on raises RuntimeError."""
        self._sealed = True


def _values_of(kept: bytes | None) -> dict[str, Any]:
    try:
        return _decode(kept) if kept is not None else {}
    except msgspec.DecodeError:  # of another version or another program
        return {}
