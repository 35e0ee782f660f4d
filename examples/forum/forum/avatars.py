"""Default pictures of members: contour lines of a hill, derived from the name."""

from __future__ import annotations

from zlib import crc32


def hill(name: str) -> dict[str, object]:
    """Return hue and contour lines for a name: centre and radius of each line, in a square of 40 units."""
    seed = crc32(name.lower().encode())
    hue, lean, turn = (seed >> 20) % 24 * 15, seed % 7 - 3, (seed >> 5) % 7 - 3
    steps = (0.3, 1, 1.7, 2.4, 3.1, 3.7)
    lines = [(20 + lean * step, 20 + turn * step, 21 - 5.2 * step) for step in steps]
    return {"hue": hue, "lines": [tuple(round(value, 1) for value in line) for line in lines]}
