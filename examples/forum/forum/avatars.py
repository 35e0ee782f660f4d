"""A picture for who has uploaded none: the contour lines of a small hill, always the same one for a name."""

from __future__ import annotations

from zlib import crc32


def hill(name: str) -> dict[str, object]:
    """Hue and contour lines of a name: centre and radius of each, from the foot to the summit, in a square of 40."""
    seed = crc32(name.lower().encode())
    hue, lean, turn = seed % 360, (seed >> 9) % 5 - 2, (seed >> 14) % 5 - 2
    lines = [(20 + lean * step, 20 + turn * step, 19 - 4.4 * step) for step in (0.4, 1.2, 2, 2.8, 3.6)]
    return {"hue": hue, "lines": [tuple(round(value, 1) for value in line) for line in lines]}
