from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jinja2.runtime
import pytest

from atlas._speedups.templates.loops import LoopState

NAMES = [
    "index",
    "index0",
    "revindex",
    "revindex0",
    "first",
    "last",
    "length",
    "depth",
    "depth0",
    "previtem",
    "nextitem",
]
ITERABLES: list[Callable[[], Iterable[Any]]] = [lambda: [1, 2, 3], list, lambda: (number for number in range(3))]


def positions(kind: Any, iterable: Iterable[Any], names: list[str]) -> list[object]:
    seen: list[object] = []
    for value, loop in kind(iterable, jinja2.Undefined):
        row = [getattr(loop, name) for name in names]
        seen.append([value, [each._undefined_hint if isinstance(each, jinja2.Undefined) else each for each in row]])
    return seen


@pytest.mark.parametrize("make", ITERABLES)
@pytest.mark.parametrize("names", [NAMES, NAMES[::-1], ["index"], ["last"], ["length", "last"]])
def test_the_attributes_are_those_of_jinja2(make: Callable[[], Iterable[Any]], names: list[str]) -> None:
    assert positions(LoopState, make(), names) == positions(jinja2.runtime.LoopContext, make(), names)


def test_length_of_what_has_none_reads_it_to_the_end() -> None:
    numbers = iter([1, 2, 3])
    loop = LoopState(numbers, jinja2.Undefined)
    assert next(loop)[0] == 1
    assert len(loop) == 3
    assert list(numbers) == []
    assert [value for value, _ in loop] == [2, 3]


def test_cycle_and_changed() -> None:
    loop = LoopState([1, 1, 2], jinja2.Undefined)
    seen = [(loop.cycle("odd", "even"), loop.changed(value)) for value, _ in loop]
    assert seen == [("odd", True), ("even", False), ("odd", True)]
    with pytest.raises(TypeError, match="no items for cycling given"):
        loop.cycle()


def test_only_a_recursive_loop_can_be_called() -> None:
    with pytest.raises(TypeError, match="The loop must have the 'recursive' marker to be called recursively."):
        LoopState([1], jinja2.Undefined)([2])
    loop = LoopState([1], jinja2.Undefined, lambda items, _recurse, depth: f"{items} {depth}", 1)
    assert loop([2]) == "[2] 2"


def test_it_shows_its_position() -> None:
    loop = LoopState([1, 2], jinja2.Undefined)
    next(loop)
    assert repr(loop) == "<LoopState 1/2>"
