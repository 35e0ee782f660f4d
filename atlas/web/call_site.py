"""Where in a program a route or a middleware was written, for error messages."""

from __future__ import annotations

import sys

__all__ = ["caller_place"]


def caller_place() -> str:
    """Return file and line of the nearest caller outside ``atlas.web``: ``"app.py:12"``."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("atlas.web."):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
