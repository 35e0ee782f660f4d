"""Passwords, kept so that whoever steals the database does not have them: scrypt with a salt (RFC 7914).

To hash one takes a twentieth of a second and 32 MiB on purpose. Call these by ``in_thread``.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode

COST, BLOCK, LANES = 2**15, 8, 1


def hash_password(password: str) -> str:
    """The password as it is kept: ``scrypt$32768$8$1$salt$hash``."""
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
    """Whether it is that password. None, for somebody who is not there, takes as long as any other."""
    if not kept:
        _scrypt(password, b"nobody's salt...", COST)
        return False
    _, cost, block, lanes, salt, wanted = kept.split("$")
    found = _scrypt(password, b64decode(salt), int(cost), int(block), int(lanes))
    return hmac.compare_digest(found, b64decode(wanted))


def _scrypt(password: str, salt: bytes, cost: int, block: int = BLOCK, lanes: int = LANES) -> bytes:
    most = 256 * cost * block * lanes  # OpenSSL refuses to take more memory than it was told: twice what it needs
    return hashlib.scrypt(password.encode(), salt=salt, n=cost, r=block, p=lanes, maxmem=most, dklen=32)
