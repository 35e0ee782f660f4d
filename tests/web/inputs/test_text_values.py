"""Values of the query, header fields, cookies and forms: right ones, and every kind of wrong one."""

from __future__ import annotations

import datetime
import decimal
import enum
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import httpx
import msgspec
import pytest
from pydantic import AliasChoices, BaseModel, Field

from atlas import Application, Cookie, Form, Header, Query, Request, Route

Ask = Callable[..., httpx.Response]

KEY = "0e4b1f9c-2f5a-4b65-9e3c-2a9d4e0c7f11"


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Filters(msgspec.Struct, forbid_unknown_fields=True):
    size: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20
    tags: list[str] = []
    sort: Literal["name", "date"] | None = None


@dataclass
class Range:
    first: int
    last: int = 9


class Search(BaseModel):
    text: str = Field(alias="q", min_length=2)
    deep: bool = False


class SignUp(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(min_length=2)]
    age: int | None = None
    news: bool = False


def scalars(
    request: Request,
    text: str,
    number: int = 1,
    ratio: float = 0.5,
    on: bool = False,
    price: decimal.Decimal | None = None,
    day: datetime.date | None = None,
    key: uuid.UUID | None = None,
    color: Color = Color.RED,
    many: Annotated[list[int], Query("n", max_length=3)] = [],  # noqa: B006 - never changed
    code: Annotated[str, Query(pattern="^[A-Z]+$", max_length=3)] = "ABC",
) -> Any:
    return [text, number, ratio, on, price and str(price), day, key, color.value, many, code]


def filters(filters: Annotated[Filters, Query()]) -> Any:
    return filters


def between(between: Annotated[Range | None, Query()] = None) -> Any:
    return between or "everything"


def search(search: Annotated[Search, Query()]) -> Any:
    return search.model_dump()


def fields(
    user_agent: Annotated[str, Header()],
    x_number: Annotated[int, Header(ge=1)] = 1,
    accept: Annotated[list[str], Header()] = [],  # noqa: B006
    theme: Annotated[Literal["light", "dark"], Cookie()] = "light",
) -> Any:
    return [user_agent, x_number, accept, theme]


def sign_up(form: Annotated[SignUp, Form()]) -> Any:
    return form


async def sign_up_later(name: Annotated[str, Form()], age: Annotated[int, Form()] = 7) -> Any:
    return [name, age]


async def scalars_later(number: int = 1) -> Any:
    return number + 1 if number > 1 else {"number": number}


app = Application(
    [
        Route("/scalars-later", scalars_later),
        Route("/scalars", scalars),
        Route("/filters", filters),
        Route("/between", between),
        Route("/search", search),
        Route("/fields", fields),
        Route("/sign-up", sign_up, ["POST"]),
        Route("/later", sign_up_later, ["POST"]),
    ]
)


def problems(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return {each["path"]: each["detail"] for each in answer.json()["errors"]}


def test_right_values(ask: Ask) -> None:
    query = f"text=a&number=-2&ratio=1e3&on=true&price=1.10&day=2026-11-28&key={KEY}&color=blue&n=1&n=2&code=XY"
    expected = ["a", -2, 1000.0, True, "1.10", "2026-11-28", KEY, "blue", [1, 2], "XY"]
    assert ask(app, "GET", f"/scalars?{query}").json() == expected
    assert ask(app, "GET", "/scalars?text=").json() == ["", 1, 0.5, False, None, None, None, "red", [], "ABC"]
    assert ask(app, "GET", "/scalars?text=%F0%9F%90%9F&other=1").json()[0] == "\N{FISH}"


@pytest.mark.parametrize(("word", "value"), [("on", True), ("Yes", True), ("1", True), ("off", False), ("f", False)])
def test_words_for_booleans(ask: Ask, word: str, value: bool) -> None:
    assert ask(app, "GET", f"/scalars?text=a&on={word}").json()[3] is value


@pytest.mark.parametrize(
    ("query", "path", "detail"),
    [
        ("", "text", "missing"),
        ("text=a&text=b", "text", "expected one value, got 2"),
        ("number=", "number", "Expected `int`, got ''"),
        ("number=1.5", "number", "Expected `int`, got '1.5'"),
        ("number=" + "9" * 5000, "number", "Integer value out of range"),
        ("number=" + "x" * 5000, "number", "Expected `int`, got '" + "x" * 60 + "'..."),
        ("ratio=x", "ratio", "Expected `float`, got 'x'"),
        ("on=perhaps", "on", "Expected `bool`, got 'perhaps'"),
        ("price=1,5", "price", "Invalid decimal string"),
        ("day=2026-02-30", "day", "Invalid RFC3339 encoded date"),
        ("key=1", "key", "Invalid UUID"),
        ("color=green", "color", "Invalid enum value 'green'"),
        ("n=1&n=x", "n", "Expected `int`, got 'x'"),
        ("n=1&n=2&n=3&n=4", "n", "Expected `array` of length <= 3"),
        ("code=abc", "code", "Expected `str` matching regex '^[A-Z]+$'"),
        ("code=ABCD", "code", "Expected `str` of length <= 3"),
    ],
)
def test_each_kind_of_wrong_value(ask: Ask, query: str, path: str, detail: str) -> None:
    found = problems(ask(app, "GET", f"/scalars?text=a&{query}" if path != "text" else f"/scalars?{query}"))
    assert list(found) == [f"/query/{path}"]
    assert detail in found[f"/query/{path}"]


def test_an_async_controller(ask: Ask) -> None:
    assert ask(app, "GET", "/scalars-later").json() == {"number": 1}
    assert problems(ask(app, "GET", "/scalars-later?number=x")) == {"/query/number": "Expected `int`, got 'x'"}
    assert ask(app, "GET", "/scalars-later?" + "&" * 2000).status_code == 400


def test_all_errors_at_once(ask: Ask) -> None:
    found = problems(ask(app, "GET", "/scalars?number=x&color=green&n=1&n=y"))
    assert list(found) == ["/query/text", "/query/number", "/query/color", "/query/n"]


def test_classes_with_fields(ask: Ask) -> None:
    assert ask(app, "GET", "/filters").json() == {"size": 20, "tags": [], "sort": None}
    assert ask(app, "GET", "/filters?size=7&tags=a&tags=b&sort=date").json()["tags"] == ["a", "b"]
    assert ask(app, "GET", "/between").text == "everything"
    assert ask(app, "GET", "/between?first=2").json() == {"first": 2, "last": 9}
    assert ask(app, "GET", "/search?q=fish&deep=on").json() == {"text": "fish", "deep": True}


def test_wrong_fields_of_classes(ask: Ask) -> None:
    assert set(problems(ask(app, "GET", "/filters?size=0&sort=x"))) == {"/query/size", "/query/sort"}
    assert problems(ask(app, "GET", "/filters?sise=1")) == {"/query": "Object contains unknown field `sise`"}
    assert problems(ask(app, "GET", "/filters?size=1&size=2")) == {"/query/size": "expected one value, got 2"}
    assert problems(ask(app, "GET", "/between?last=1")) == {"/query/first": "missing"}
    assert set(problems(ask(app, "GET", "/search?q=a&deep=x"))) >= {"/query/deep"}
    assert set(problems(ask(app, "GET", "/search?q=a"))) == {"/query/q"}


def test_header_fields_and_cookies(ask: Ask) -> None:
    headers = {"user-agent": "test", "accept": "a/b", "x-number": "5", "cookie": "theme=dark"}
    assert ask(app, "GET", "/fields", headers=headers).json() == ["test", 5, ["a/b"], "dark"]
    found = problems(ask(app, "GET", "/fields", headers={"user-agent": "t", "x-number": "0", "cookie": "theme=x"}))
    assert found == {"/header/x-number": "Expected `int` >= 1", "/cookie/theme": "Invalid enum value 'x'"}


def test_forms(ask: Ask) -> None:
    form = {"name": "ada", "age": "", "news": "on"}
    assert ask(app, "POST", "/sign-up", data=form).json() == {"name": "ada", "age": None, "news": True}
    assert ask(app, "POST", "/later", data={"name": "ada", "age": ""}).json() == ["ada", 7]
    assert problems(ask(app, "POST", "/sign-up", data={"name": "a", "age": "x"})) == {
        "/form/name": "Expected `str` of length >= 2",
        "/form/age": "Expected `int | null`, got 'x'",
    }
    assert problems(ask(app, "POST", "/later")) == {"/form/name": "missing"}
    assert ask(app, "POST", "/later", json={"name": "ada"}).status_code == 415


class Described(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(max_length=9)]
    on: Annotated[bool, msgspec.Meta(title="on")] = False
    numbers: list[int] = []
    flags: list[bool] = []
    time: datetime.time | None = None
    at: datetime.datetime | None = None


def described(form: Annotated[Described, Form()]) -> Any:
    return form


def test_constraints_do_not_change_what_a_type_takes(ask: Ask) -> None:
    def show(
        on: Annotated[bool, Query(title="on")], flags: list[bool], size: Annotated[int | None, Query(ge=1)] = 3
    ) -> Any:
        return [on, flags, size]

    own = Application([Route("/", show), Route("/form", described, ["POST"])])
    assert ask(own, "GET", "/?on=on&flags=yes&flags=0").json() == [True, [True, False], 3]
    assert problems(ask(own, "GET", "/?on=on&flags=yes&size=0")) == {"/query/size": "Expected `int` >= 1"}
    form = {"name": "", "on": "on", "numbers": "", "flags": ["on", "off"], "time": "03:04", "at": "2026-01-02T03:04"}
    assert ask(own, "POST", "/form", data=form).json() == {
        "name": "",
        "on": True,
        "numbers": [],
        "flags": [True, False],
        "time": "03:04:00",
        "at": "2026-01-02T03:04:00",
    }


class Partly(TypedDict):
    first: int
    second: NotRequired[Annotated[int, msgspec.Meta(ge=3)]]


@dataclass
class Even:
    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError("expected an even number")


class Agent(msgspec.Struct):
    user_agent: str
    x_number: int = 0


def partly(fields: Annotated[Partly, Query()]) -> Any:
    return fields


def even(fields: Annotated[Even, Query()]) -> Any:
    return fields


def agent(fields: Annotated[Agent, Header()]) -> Any:
    return fields


def test_what_a_class_checks_itself(ask: Ask) -> None:
    own = Application([Route("/partly", partly), Route("/even", even), Route("/agent", agent)])
    assert ask(own, "GET", "/partly?first=1").json() == {"first": 1}
    assert problems(ask(own, "GET", "/partly?first=x&second=2")) == {
        "/query/first": "Expected `int`, got 'x'",
        "/query/second": "Expected `int` >= 3",
    }
    assert ask(own, "GET", "/even?number=2").json() == {"number": 2}
    assert problems(ask(own, "GET", "/even?number=3")) == {"/query": "expected an even number"}


def test_a_class_of_header_fields(ask: Ask) -> None:
    own = Application([Route("/", agent)])
    found = ask(own, "GET", "/", headers={"user-agent": "a", "x-number": "3"}).json()
    assert found == {"user_agent": "a", "x_number": 3}
    assert problems(ask(own, "GET", "/", headers={"x-number": "x"})) == {"/header/x-number": "Expected `int`, got 'x'"}


class Paged(BaseModel):
    text: str = Field(validation_alias=AliasChoices("q", "text"), min_length=2)
    page: int = Field(ge=1)


def paged(fields: Annotated[Paged, Query()]) -> Any:
    return fields.text


def test_pydantic_finds_all_errors_of_its_fields(ask: Ask) -> None:
    own = Application([Route("/", paged)])
    assert ask(own, "GET", "/?q=ab&page=1").text == "ab"
    assert problems(ask(own, "GET", "/?q=ab&page=0")) == {"/query/page": "Input should be greater than or equal to 1"}
    assert set(problems(ask(own, "GET", "/?q=a&page=0"))) == {"/query/q", "/query/page"}
