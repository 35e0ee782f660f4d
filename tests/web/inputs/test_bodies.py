"""Typed bodies: JSON, text, bytes, and the files of forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

import attrs
import httpx
import msgspec
import pytest
from pydantic import BaseModel, Field

from atlas import Application, AsyncUpload, Body, Form, Request, Route, Upload

Ask = Callable[..., httpx.Response]


class Line(msgspec.Struct, forbid_unknown_fields=True):
    qty: Annotated[int, msgspec.Meta(ge=1)]
    name: str = ""


class Order(msgspec.Struct, rename="camel"):
    order_lines: list[Line]
    note: str | None = None


@dataclass
class Point:
    x: int
    y: int = 0


class Place(TypedDict):
    town: str


@attrs.define
class Box:
    width: int


class Person(BaseModel):
    name: str = Field(min_length=2)
    ages: list[int] = []


def order(order: Order) -> Any:
    return order


async def order_later(request: Any, order: Order | None = None) -> Any:
    return order if order is not None else "none"


def several(points: list[Point]) -> Any:
    return len(points)


def text(text: Annotated[str, Body(max_length=9)]) -> Any:
    return text


def octets(data: Annotated[bytes, Body()]) -> Any:
    return str(len(data))


def number(number: Annotated[int, Body(ge=1)]) -> Any:
    return str(number)


def files(name: Annotated[str, Form()], picture: Upload, others: list[Upload] | None = None) -> Any:
    return [name, picture.filename, picture.read().decode(), len(others or [])]


async def file_later(picture: AsyncUpload | None = None) -> Any:
    return (await picture.read()).decode() if picture is not None else "none"


def make(kind: Any) -> Any:
    def controller(value: Any) -> Any:
        return value.model_dump() if isinstance(value, BaseModel) else msgspec.to_builtins(value)

    controller.__annotations__["value"] = kind
    return controller


app = Application(
    [
        Route("/order", order, ["POST"]),
        Route("/inline", order, ["POST"], run="inline", name="inline"),
        Route("/thread", order, ["POST"], run="thread", name="thread"),
        Route("/later", order_later, ["POST"]),
        Route("/several", make(list[Point]), ["POST"], name="several"),
        Route("/text", text, ["POST"]),
        Route("/octets", octets, ["POST"]),
        Route("/number", number, ["POST"]),
        Route("/files", files, ["POST"]),
        Route("/file-later", file_later, ["POST"]),
        *(Route(f"/{kind.__name__}", make(kind), ["POST"], name=kind.__name__) for kind in (Point, Place, Box, Person)),
    ]
)


def problems(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {each["path"]: each["detail"] for each in answer.json()["errors"]}


@pytest.mark.parametrize("path", ["/order", "/inline", "/thread", "/later"])
def test_json(ask: Ask, path: str) -> None:
    body = {"orderLines": [{"qty": 2}], "note": None}
    assert ask(app, "POST", path, json=body).json() == {"orderLines": [{"qty": 2, "name": ""}], "note": None}
    assert problems(ask(app, "POST", path, json={"orderLines": [{"qty": 0}, {"qty": 1, "nme": ""}], "note": 5})) == {
        "/body/orderLines/0/qty": "Expected `int` >= 1",
        "/body/orderLines/1": "Object contains unknown field `nme`",
        "/body/note": "Expected `str | null`, got `int`",
    }


def test_no_body(ask: Ask) -> None:
    assert problems(ask(app, "POST", "/order")) == {"/body": "missing"}
    assert ask(app, "POST", "/later").text == "none"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"orderLines": [', 400),
        (b'{"orderLines": []} x', 400),
        (b'\xef\xbb\xbf{"orderLines": []}', 200),
        (b'{"orderLines": [{"name": "\xff"}]}', 400),
        (b'{"orderLines": ' + b"[" * 100_000, 400),
        (b'{"orderLines": [{"qty": 1' + b"0" * 5000 + b"}]}", 422),
    ],
)
def test_what_is_not_json(ask: Ask, content: bytes, status: int) -> None:
    answer = ask(app, "POST", "/order", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("application/vnd.shop+json", 200),
        (None, 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/jsonp", 415),
    ],
)
def test_content_types(ask: Ask, content_type: str | None, status: int) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    answer = ask(app, "POST", "/order", content=b'{"orderLines": []}', headers=headers)
    assert answer.status_code == status
    if status == 415:
        assert answer.headers["accept"] == "application/json"


def test_a_content_coding_is_refused(ask: Ask) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    assert ask(app, "POST", "/order", content=b"\x1f\x8b", headers=headers).status_code == 415


def test_text_and_bytes(ask: Ask) -> None:
    assert ask(app, "POST", "/text", content="wörter".encode()).text == "wörter"
    assert ask(app, "POST", "/octets", content=b"\x00\xff").text == "2"
    assert ask(app, "POST", "/number", content=b"7").text == "7"
    assert problems(ask(app, "POST", "/number", content=b"0")) == {"/body": "Expected `int` >= 1"}
    assert ask(app, "POST", "/text", content=b"\xff").status_code == 400


@pytest.mark.parametrize(
    ("path", "right", "wrong", "place"),
    [
        ("/Point", {"x": 1, "y": 2}, {"x": "a"}, "/body/x"),
        ("/Place", {"town": "Oslo"}, {}, "/body/town"),
        ("/Box", {"width": 1}, {"width": None}, "/body/width"),
        ("/Person", {"name": "ada", "ages": [1]}, {"name": "ada", "ages": [1, "x"]}, "/body/ages/1"),
        ("/several", [{"x": 1, "y": 0}], [{"x": 1}, {"y": 1}], "/body/1/x"),
    ],
)
def test_classes_of_other_libraries(ask: Ask, path: str, right: Any, wrong: Any, place: str) -> None:
    assert ask(app, "POST", path, json=right).json() == right
    assert list(problems(ask(app, "POST", path, json=wrong))) == [place]
    assert ask(app, "POST", path, content=b"{").status_code == 400


def test_files(ask: Ask) -> None:
    files = [("picture", ("a.png", b"one")), ("others", ("b.png", b"two")), ("others", ("c.png", b"three"))]
    assert ask(app, "POST", "/files", data={"name": "x"}, files=files).json() == ["x", "a.png", "one", 2]
    assert ask(app, "POST", "/file-later", files=files[:1]).text == "one"
    assert ask(app, "POST", "/file-later", data={"a": "b"}).text == "none"
    assert problems(ask(app, "POST", "/files", data={"other": "x"})) == {
        "/form/name": "missing",
        "/form/picture": "missing",
    }
    twice = [("picture", ("a.png", b"one")), ("picture", ("b.png", b"two"))]
    assert problems(ask(app, "POST", "/files", data={"name": "x"}, files=twice)) == {
        "/form/picture": "expected one file, got 2"
    }


def test_the_body_stays_for_others(ask: Ask) -> None:
    def after(request: Request, point: Point) -> Any:
        return [point.x, request.json()["x"]]

    own = Application([Route("/", after, ["POST"])])
    assert ask(own, "POST", "/", json={"x": 1}).json() == [1, 1]
