from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from atlas.web.requests.dataclass_defaults import find_completion, types_in
from atlas.web.requests.validation import parse_json


@dataclass
class Inner:
    first: int
    last: int = 9
    made: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Frozen:
    inner: Inner
    size: int = 3


@dataclass(slots=True)
class Slots:
    first: int
    last: int = 9


@dataclass
class Tree:
    children: "list[Tree]"
    name: str = "leaf"


class Struct(msgspec.Struct):
    inner: Inner
    more: dict[str, Inner] = {}


@pytest.mark.parametrize(
    ("body", "kind", "whole"),
    [
        (b'{"first":1}', Inner, b'{"first":1,"last":9,"made":[]}'),
        (b'[{"first":1}]', list[Inner], b'[{"first":1,"last":9,"made":[]}]'),
        (b'{"inner":{"first":1}}', Frozen, b'{"inner":{"first":1,"last":9,"made":[]},"size":3}'),
        (b'{"first":1}', Slots, b'{"first":1,"last":9}'),
        (b'{"children":[{"children":[]}]}', Tree, b'{"children":[{"children":[],"name":"leaf"}],"name":"leaf"}'),
        (b'{"inner":{"first":1},"more":{"a":{"first":2}}}', Struct, None),
        (b"5", Inner | int, b"5"),
    ],
)
def test_the_defaults_are_there(body: bytes, kind: Any, whole: bytes | None) -> None:
    value = parse_json(body, kind)
    found = msgspec.json.encode(value)
    if whole is None:
        assert found.count(b'"last":9') == 2
    else:
        assert msgspec.json.decode(found) == msgspec.json.decode(whole)


def test_values_of_the_client_stay() -> None:
    assert vars(parse_json(b'{"first":1,"last":2}', Inner)) == {"first": 1, "last": 2, "made": []}


@pytest.mark.parametrize("kind", [int, Slots, list[int], dict[str, Any]])
def test_what_needs_nothing_costs_nothing(kind: Any) -> None:
    assert find_completion(kind) is None


def test_all_types_in_a_type() -> None:
    found = {type(each).__name__ for each in types_in(dict[str, list[Struct | None]])}
    assert found == {
        "DictType",
        "StrType",
        "ListType",
        "UnionType",
        "NoneType",
        "StructType",
        "DataclassType",
        "IntType",
    }
