"""Signed values: a client can read and return them, but not change them. A signature includes the time."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable

from itsdangerous import BadSignature, TimestampSigner

from atlas.errors import StartupError

__all__ = ["SignedValues", "check_keys", "find_keys"]

_MIN_KEY = 16  # characters
_LEEWAY = 60.0  # seconds that the clock of another machine may be ahead


def check_keys(who: str, keys: str | bytes | Iterable[str | bytes]) -> list[str | bytes]:
    """Check secret keys.

    :param who: the middleware, for messages.
    :param keys: one key, or several with the current one first.
    :returns: the keys as a list.
    :raises TypeError: for a key that is neither ``str`` nor ``bytes``.
    :raises ValueError: for a key of less than 16 characters, or no key.
    """
    found = [keys] if isinstance(keys, (str, bytes)) else list(keys)
    if not found:
        raise ValueError(f"{who}: secret_key: expected at least one key")
    for key in found:
        if not isinstance(key, (str, bytes)):
            raise TypeError(f"{who}: secret_key: expected str or bytes, got {type(key).__name__}")
        if len(key) < _MIN_KEY:
            raise ValueError(
                f"{who}: secret_key: expected {_MIN_KEY} characters or more; "
                "python -c 'import secrets; print(secrets.token_urlsafe(32))' makes one"
            )
    return found


def find_keys(who: str, place: str, config: object) -> list[str | bytes]:
    """Return the secret keys of a configuration.

    :param who: the middleware that needs them, for messages.
    :param place: file and line where the middleware was written.
    :param config: the configuration.
    :returns: the keys as a list, the current one first.
    :raises StartupError: for a missing or invalid key.
    """
    keys = getattr(config, "secret_key", None)
    if not keys:
        raise StartupError(f"{place}: {who}: no secret key: give it one, or set secret_key in the configuration")
    try:
        return check_keys(who, keys)
    except (TypeError, ValueError) as error:
        raise StartupError(f"{place}: {error}") from None


class _Signer(TimestampSigner):
    """A signer with a replaceable clock, and HMAC-SHA-256; the default of itsdangerous is SHA-1."""

    default_digest_method = staticmethod(hashlib.sha256)
    default_key_derivation = "hmac"
    clock: Callable[[], float] = staticmethod(time.time)

    def get_timestamp(self) -> int:
        return int(self.clock())


class SignedValues:
    """Signs values, and verifies signed values.

    :param keys: the keys; the first one signs, signatures of all are accepted, so that keys can be changed.
    :param purpose: part of the signature, so that a value signed for another purpose is refused.
    :param clock: returns seconds since the epoch.
    """

    __slots__ = ("_clock", "_keys", "_purpose", "_signer")

    def __init__(self, keys: Iterable[str | bytes], purpose: str, *, clock: Callable[[], float] = time.time) -> None:
        self._keys, self._purpose = [_as_bytes(key) for key in keys], purpose
        # itsdangerous signs with the last key.
        self._signer = _Signer(self._keys[::-1], salt=f"atlas.{purpose}")
        self._signer.clock = clock
        self._clock = clock

    def under(self, root_path: str) -> SignedValues:
        """Return what signs the values of an application under a root path, so that no other one accepts them.

        :param root_path: the root path, decoded; "" for none.
        """
        path = root_path.rstrip("/")
        return SignedValues(self._keys, f"{self._purpose}@{path}", clock=self._clock) if path else self

    def sign(self, value: bytes) -> str:
        """Sign a value.

        :param value: characters that a cookie can contain.
        :returns: value, time and signature, fit for a cookie.
        """
        return self._signer.sign(value).decode("ascii")

    def read(self, signed: str, max_age: float | None) -> tuple[bytes, float] | None:
        """Verify a signed value.

        :param signed: value, time and signature.
        :param max_age: maximum age in seconds; None for no limit.
        :returns: the value, and its age in seconds; None for a value with an invalid signature, one that is malformed
            or older than ``max_age``, or one with a time more than a minute in the future.
        """
        try:
            value, then = self._signer.unsign(signed.encode("ascii"), return_timestamp=True)
        except (BadSignature, UnicodeEncodeError):
            return None
        age = self._clock() - then.timestamp()
        if age < -_LEEWAY or (max_age is not None and age > max_age):
            return None
        return value, max(0.0, age)


def _as_bytes(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else key
