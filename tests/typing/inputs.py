"""Typed inputs of controllers as a type checker sees them. This file is checked and not run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, assert_type

from atlas import Application, AsyncUpload, Body, Cookie, Form, Header, Path, Provide, Query, Request, Route, Upload


@dataclass
class Item:
    name: str


def show(
    request: Request,
    number: Annotated[int, Path(ge=1)],
    page: int = 1,
    size: Annotated[int, Query(ge=1, le=100)] = 20,
    agent: Annotated[str, Header("user-agent")] = "",
    theme: Annotated[str, Cookie()] = "light",
) -> dict[str, Any]:
    assert_type(number, int)
    assert_type(size, int)
    assert_type(agent, str)
    return {"theme": theme}


def create(item: Item, text: Annotated[str, Body()] = "") -> Item:
    assert_type(item, Item)
    return item


def find(number: int) -> Item:
    return Item(str(number))


def buy(item: Annotated[Item, Provide(find)]) -> str:
    assert_type(item, Item)
    return item.name


def upload(name: Annotated[str, Form()], file: Upload, others: list[Upload] | None = None) -> str:
    assert_type(file.read(), bytes)
    return name


async def upload_later(file: AsyncUpload) -> bytes:
    return await file.read()


app = Application(
    [
        Route("/{number:int}", show),
        Route("/buy/{number:int}", buy),
        Route("/", create, ["POST"]),
        Route("/file", upload, ["POST"]),
    ]
)
with app.override(find, lambda: Item("test")) as nothing:
    assert_type(nothing, None)
