"""Sets the defaults of dataclasses that msgspec has made.

msgspec (0.22) leaves a field with a default to the class: ``vars(value)`` lacks it, and encoding the value as JSON
leaves it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from typing import Any

import msgspec

__all__ = ["find_completion", "types_in"]


def find_completion(kind: Any) -> Callable[[Any], Any] | None:
    """Return a function that sets the defaults in a value, and returns the value.

    :param kind: the type of the value.
    :returns: the function; None if no class in the type needs it.
    """
    try:
        return _complete if _needs_completion(kind) else None
    except TypeError:  # a type that has no hash
        return _complete


@lru_cache(maxsize=1024)
def _needs_completion(kind: Any) -> bool:
    return any(_defaults(each.cls) for each in types_in(kind) if isinstance(each, msgspec.inspect.DataclassType))


@lru_cache(maxsize=1024)
def _defaults(cls: type) -> tuple[tuple[str, Any], ...]:
    """Return the fields that msgspec does not set, with their defaults."""
    if not is_dataclass(cls) or not hasattr(cls, "__dict__") or "__slots__" in vars(cls):
        return ()
    return tuple((each.name, each.default) for each in fields(cls) if each.default is not MISSING)


def types_in(kind: Any) -> Iterator[Any]:
    """Iterate over a type and all types in it, as ``msgspec.inspect`` has them; each class once.

    :param kind: the type.
    :raises TypeError: for a type that msgspec does not support.
    """
    seen: set[Any] = set()
    left: list[Any] = [msgspec.inspect.type_info(kind)]
    while left:
        each = left.pop()
        if isinstance(each, msgspec.inspect.Metadata):
            left.append(each.type)
            continue
        if (cls := getattr(each, "cls", None)) is not None:
            if cls in seen:
                continue
            seen.add(cls)
        yield each
        inner = [getattr(each, name, None) for name in ("item_type", "key_type", "value_type")]
        left += [kind for kind in inner if kind is not None]
        left += getattr(each, "item_types", ())
        left += getattr(each, "types", ())
        left += [field.type for field in getattr(each, "fields", ())]


def _complete(value: Any) -> Any:
    """Set the defaults in a value and in all values in it."""
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, list | tuple | set | frozenset):
            left += each
        elif isinstance(each, dict):
            left += each.values()
        elif isinstance(each, msgspec.Struct):
            left += [getattr(each, name) for name in each.__struct_fields__]
        elif is_dataclass(each):
            cls: type = type(each)
            for name, default in _defaults(cls):
                if name not in vars(each):
                    object.__setattr__(each, name, default)
            left += [getattr(each, field.name) for field in fields(each)]
    return value
