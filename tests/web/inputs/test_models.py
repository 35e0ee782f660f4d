from dataclasses import dataclass
from typing import Any, TypedDict

import attrs
import msgspec
import pytest
from pydantic import BaseModel, Field

from atlas.web.inputs.models import ModelField, MsgspecModel, PydanticModel, find_model, has_fields


class Struct(msgspec.Struct, rename="camel"):
    first_name: str
    age: int = 1


@dataclass
class Data:
    first: str
    second: int = 1


class Typed(TypedDict):
    first: str


@attrs.define
class Attrs:
    first: str
    second: int = 1


class Pydantic(BaseModel):
    first: str = Field(alias="one")
    second: int = 1


@pytest.mark.parametrize("kind", [Struct, Data, Typed, Attrs, Pydantic])
def test_classes_with_fields(kind: Any) -> None:
    assert has_fields(kind)
    assert isinstance(find_model(kind), PydanticModel if kind is Pydantic else MsgspecModel)


@pytest.mark.parametrize("kind", [int, list[Struct], dict, Struct | None, Any, Struct("a")])
def test_types_without_fields(kind: Any) -> None:
    assert not has_fields(kind)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Struct, [("firstName", str, True), ("age", int, False)]),
        (Data, [("first", str, True), ("second", int, False)]),
        (Typed, [("first", str, True)]),
        (Attrs, [("first", str, True), ("second", int, False)]),
        (Pydantic, [("one", str, True), ("second", int, False)]),
    ],
)
def test_fields(kind: Any, fields: list[tuple[str, Any, bool]]) -> None:
    assert list(find_model(kind).fields()) == [ModelField(*each) for each in fields]


def test_a_type_that_no_library_knows() -> None:
    with pytest.raises(TypeError, match="not supported"):
        find_model(type(lambda: None) | int)


def test_problems_of_pydantic() -> None:
    model = find_model(Pydantic)
    assert model.find_problems({"one": 1, "second": "x"}, "/body") == [
        ("/body/one", "Input should be a valid string"),
        ("/body/second", "Input should be a valid integer, unable to parse string as an integer"),
    ]
    assert model.find_problems({"one": "a"}, "/body") == []
