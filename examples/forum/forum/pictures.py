"""Pictures that people upload. What a file is, its first bytes say: neither its name nor its type is believed."""

from __future__ import annotations

import hashlib
from pathlib import Path

LARGEST = 512 * 1024
KINDS = "a PNG, JPEG, GIF or WebP"


class NotAPicture(ValueError):
    """A file that cannot be shown; the message is for the one who chose it."""


def ending_of(data: bytes) -> str | None:
    """``.png`` and so on, by the first bytes; None for whatever is no picture."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return ".png"
    if data.startswith(b"\xff\xd8\xff"):
        return ".jpg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return ".gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return ".webp"
    return None


def keep(folder: Path, data: bytes) -> str:
    """Write a picture into the folder; gives the name that it has there.

    The name is made of what is in it, so it never means another picture, and browsers may keep it for good.

    :raises NotAPicture: if it is too large, or none.
    """
    if len(data) > LARGEST:
        raise NotAPicture(f"This picture has {len(data) // 1024} KB; there is room for {LARGEST // 1024}.")
    ending = ending_of(data)
    if ending is None:
        raise NotAPicture(f"This file is not {KINDS}.")
    name = f"picture-{hashlib.sha256(data).hexdigest()[:32]}{ending}"
    unfinished = folder / f".{name}"  # nobody shall see half of it, and names that begin with a dot are not served
    unfinished.write_bytes(data)
    unfinished.replace(folder / name)
    return name
