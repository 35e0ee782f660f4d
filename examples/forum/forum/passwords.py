"""Password hashes: scrypt with a salt (RFC 7914).

A hash takes 50 ms and 32 MiB on purpose. Call these functions by ``in_thread``.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode

COST, BLOCK, LANES = 2**15, 8, 1


def hash_password(password: str) -> str:
    """Return ``scrypt$32768$8$1$salt$hash``."""
    salt = secrets.token_bytes(16)
    parts = [
        str(COST),
        str(BLOCK),
        str(LANES),
        b64encode(salt).decode(),
        b64encode(_scrypt(password, salt, COST)).decode(),
    ]
    return "$".join(["scrypt", *parts])


def is_password(password: str, kept: str | None) -> bool:
    """Return whether the password matches. ``kept`` is None for an unknown name, which takes the same time."""
    if not kept:
        _scrypt(password, b"sixteen bytes...", COST)
        return False
    _, cost, block, lanes, salt, wanted = kept.split("$")
    found = _scrypt(password, b64decode(salt), int(cost), int(block), int(lanes))
    return hmac.compare_digest(found, b64decode(wanted))


def _scrypt(password: str, salt: bytes, cost: int, block: int = BLOCK, lanes: int = LANES) -> bytes:
    most = 256 * cost * block * lanes  # the limit of OpenSSL: twice what it needs
    return hashlib.scrypt(password.encode(), salt=salt, n=cost, r=block, p=lanes, maxmem=most, dklen=32)
