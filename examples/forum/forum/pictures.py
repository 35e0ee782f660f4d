"""Uploaded pictures. The first bytes determine the format; file name and content type of the client are ignored."""

from __future__ import annotations

import hashlib
from pathlib import Path

LARGEST = 512 * 1024
KINDS = "a PNG, JPEG, GIF or WebP"


class NotAPicture(ValueError):
    """Raised for a file that is not a supported picture; the message is shown to the user."""


def ending_of(data: bytes) -> str | None:
    """Return ``.png`` and so on, by the first bytes; None for any other file."""
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
    """Write a picture into the folder and return its file name.

    The name is a hash of the content, so it never refers to another picture, and browsers may keep it permanently.

    :raises NotAPicture: if the file is too large or not a picture.
    """
    if len(data) > LARGEST:
        raise NotAPicture(f"This picture has {len(data) // 1024} KB; the maximum is {LARGEST // 1024}.")
    ending = ending_of(data)
    if ending is None:
        raise NotAPicture(f"This file is not {KINDS}.")
    name = f"picture-{hashlib.sha256(data).hexdigest()[:32]}{ending}"
    unfinished = folder / f".{name}"  # renamed when complete; Static does not serve names that begin with a dot
    unfinished.write_bytes(data)
    unfinished.replace(folder / name)
    return name
