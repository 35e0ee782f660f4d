"""Undefined variables."""

from __future__ import annotations

import jinja2

__all__ = ["Missing"]


class Missing(jinja2.StrictUndefined):
    """An undefined variable: false in a condition; an error if it is printed or used otherwise."""

    __slots__ = ()

    def __bool__(self) -> bool:  # type: ignore[override]  # that of StrictUndefined raises, so its type is Never
        return False
