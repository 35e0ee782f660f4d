"""Values that a client keeps for us and cannot change: signed, with the time when that was."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable

from itsdangerous import BadSignature, TimestampSigner

from atlas.errors import StartupError

__all__ = ["SignedValues", "check_keys", "find_keys"]

_SHORTEST_KEY = 16


def check_keys(who: str, keys: str | bytes | Iterable[str | bytes]) -> list[str | bytes]:
    """Secret keys as a list, the current one first.

    :param who: whose setting it is, for the message.
    :raises TypeError: for what is no key. :raises ValueError: for a short one, or none at all.
    """
    found = [keys] if isinstance(keys, (str, bytes)) else list(keys)
    if not found:
        raise ValueError(f"{who}: secret_key: expected at least one key")
    for key in found:
        if not isinstance(key, (str, bytes)):
            raise TypeError(f"{who}: secret_key: expected str or bytes, got {type(key).__name__}")
        if len(key) < _SHORTEST_KEY:
            raise ValueError(
                f"{who}: secret_key: expected {_SHORTEST_KEY} characters or more; "
                "python -c 'import secrets; print(secrets.token_urlsafe(32))' makes one"
            )
    return found


def find_keys(who: str, place: str, config: object) -> list[str | bytes]:
    """The keys of an application's configuration.

    :param place: file and line where ``who`` was written.
    :raises StartupError: if there are none, or none that will do.
    """
    keys = getattr(config, "secret_key", None)
    if not keys:
        raise StartupError(f"{place}: {who}: no secret key: give it one, or set secret_key in the configuration")
    try:
        return check_keys(who, keys)
    except (TypeError, ValueError) as error:
        raise StartupError(f"{place}: {error}") from None


class _Signer(TimestampSigner):
    """A signer whose clock can be set. HMAC with SHA-256: the library's own choice is SHA-1."""

    default_digest_method = staticmethod(hashlib.sha256)
    default_key_derivation = "hmac"
    clock: Callable[[], float] = staticmethod(time.time)

    def get_timestamp(self) -> int:
        return int(self.clock())


class SignedValues:
    """Signs values, and reads those that were signed.

    :param keys: the current key first; those after it are still believed, so that keys can be changed.
    :param purpose: what the values are for: one signed for another purpose is refused.
    :param clock: seconds since the epoch.
    """

    __slots__ = ("_clock", "_signer")

    def __init__(self, keys: Iterable[str | bytes], purpose: str, *, clock: Callable[[], float] = time.time) -> None:
        self._signer = _Signer(
            [_as_bytes(key) for key in keys][::-1], salt=f"atlas.{purpose}"
        )  # there the current one is the last
        self._signer.clock = clock
        self._clock = clock

    def sign(self, value: bytes) -> str:
        """The value, the time and the signature, all of them characters that a cookie can carry."""
        return self._signer.sign(value).decode("ascii")

    def read(self, signed: str, max_age: float | None) -> tuple[bytes, float] | None:
        """The value and its age in seconds, or None for one that is forged, malformed, too old, or of the future."""
        try:
            value, then = self._signer.unsign(signed.encode("ascii"), return_timestamp=True)
        except (BadSignature, UnicodeEncodeError):
            return None
        age = self._clock() - then.timestamp()
        if age < -1 or (max_age is not None and age > max_age):  # it counts whole seconds
            return None
        return value, max(0.0, age)


def _as_bytes(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else key
