from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

import attrs
import msgspec
import pydantic.dataclasses
import pytest
from pydantic import BaseModel, Field

from atlas.web.inputs.models import ModelField, MsgspecModel, PydanticModel, find_model, has_fields
from atlas.web.requests.validation import MAX_PROBLEMS, Problem


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


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    legs: int


class Owner(BaseModel):
    pets: list[Annotated[Cat | Dog, Field(discriminator="kind")]]


@pydantic.dataclasses.dataclass
class Checked:
    number: Annotated[int, Field(ge=3)]


class Unknown:
    """A class that no library knows."""


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
    assert pydantic_problems(Pydantic, {"one": 1, "second": "x"}) == [
        ("/body/one", "Input should be a valid string"),
        ("/body/second", "Input should be a valid integer, unable to parse string as an integer"),
    ]
    assert pydantic_problems(Pydantic, []) == [("/body", "Input should be an object")]


def pydantic_problems(kind: Any, value: Any) -> list[Problem]:
    model = find_model(kind)
    with pytest.raises(model.errors) as caught:
        model.decode(msgspec.json.encode(value))
    return model.find_problems(value, "/body", caught.value)


def test_types_in_which_pydantic_occurs() -> None:
    assert find_model(list[Pydantic]).decode(b'[{"one": "a"}]') == [Pydantic(one="a")]
    assert find_model(Pydantic | None).decode(b"null") is None
    assert find_model(Cat | Dog).decode(b'{"kind": "dog", "legs": 4}') == Dog(kind="dog", legs=4)
    assert pydantic_problems(Checked, {"number": 1}) == [("/body/number", "Input should be greater than or equal to 3")]
    assert has_fields(Checked)
    assert pydantic_problems(list[Pydantic], [{}]) == [("/body/0/one", "Field required")]
    assert len(pydantic_problems(list[Pydantic], [{}] * 1000)) == MAX_PROBLEMS
    with pytest.raises(TypeError, match="Unable to generate pydantic-core schema"):
        find_model(list[Pydantic] | Unknown)
    with pytest.raises(TypeError, match="constraints of a class of pydantic are those of its fields"):
        find_model(Annotated[list[Pydantic], msgspec.Meta(min_length=2)])


def test_places_in_unions_of_pydantic_are_places_in_the_value() -> None:
    assert pydantic_problems(Owner, {"pets": [{"kind": "cat", "lives": "x"}]}) == [
        ("/body/pets/0/lives", "Input should be a valid integer, unable to parse string as an integer")
    ]
    assert pydantic_problems(Owner, {"pets": [{"kind": "cat"}]}) == [("/body/pets/0/lives", "Field required")]


def test_pydantic_ignores_a_byte_order_mark() -> None:
    assert find_model(Pydantic).decode(b'\xef\xbb\xbf{"one": "a"}') == Pydantic(one="a")


def test_a_model_is_made_once() -> None:
    assert find_model(Annotated[int, msgspec.Meta(ge=1)]) is find_model(Annotated[int, msgspec.Meta(ge=1)])
    assert find_model(Literal[1]) is not find_model(Literal["1"])
    with_a_list = Annotated[int, msgspec.Meta(examples=[1])]
    assert find_model(with_a_list).decode(b"1") == 1
