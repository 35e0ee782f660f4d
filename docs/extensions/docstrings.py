"""Prepares the docstrings of Atlas for mkdocstrings.

The docstrings use Sphinx fields, sometimes several in one line, and roles. The parser of mkdocstrings expects one field
per line, and Markdown has no roles: each role becomes inline code.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

__all__ = ["Docstrings"]

_FIELD = re.compile(r"(?<=\S) +(?=:(?:param|raises|ivar|cvar|returns)\b)")
_ROLE = re.compile(r":(?:class|meth|func|mod|attr):`(~?)([\w.]+)`")
_CODE = re.compile(r"``(.+?)``", re.DOTALL)
_SEVERAL = re.compile(r":raises (\w+), (\w+): (.+?)(?=\n *:|\n\n|\Z)", re.DOTALL)
_AND = re.compile(r"(:(?:param|ivar) \w+:) and (?=:(?:param|ivar))")


class Docstrings(griffe.Extension):
    """Rewrites each docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of a loaded object."""
        if obj.docstring is not None:
            obj.docstring.value = readable(obj.docstring.value)


def readable(text: str) -> str:
    """Return a docstring with one field per line and without roles.

    >>> readable("One of :class:`~a.b.C`. :raises ValueError: for ``x``.")
    'One of `C`.\\n:raises ValueError: for `x`.'
    """
    text = _ROLE.sub(lambda found: f"`{found[2].rpartition('.')[2] if found[1] else found[2]}`", text)
    text = _CODE.sub(r"`\1`", text)
    text = _FIELD.sub("\n", _AND.sub(r"\1 ", text))
    return _SEVERAL.sub(r":raises \1: \3\n:raises \2: \3", text)
