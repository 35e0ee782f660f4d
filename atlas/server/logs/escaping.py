"""Escaping of text from the wire for log lines, so that no client can forge a line or control a terminal."""

from __future__ import annotations

import re

__all__ = ["escape", "escape_controls"]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # C0 and C1, except tab and newline
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f"\\]')


def escape(text: str) -> str:
    """Return ``text`` with C0 and C1 controls, quotes and backslashes as ``\\xNN``: safe inside quotes on one line."""
    return _UNSAFE.sub(_hexadecimal, text)


def escape_controls(text: str) -> str:
    """Return ``text`` with C0 and C1 controls as ``\\xNN``, except tab and newline: safe on a terminal."""
    return _CONTROL.sub(_hexadecimal, text)


def _hexadecimal(match: re.Match[str]) -> str:
    return f"\\x{ord(match[0]):02x}"
