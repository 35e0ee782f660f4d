"""In Litestar, with msgspec Structs in and out, and without its documentation pages."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Litestar, MediaType, get, post
from litestar.params import FromPath, JSONBody
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Template
from litestar.template import TemplateConfig
from litestar.types import ASGIApp, Receive, Scope, Send

from bench.side_by_side.web.apps.content import (
    CONTEXT,
    HELLO,
    MIDDLEWARES,
    OTHERS,
    TEMPLATE,
    environment,
    person,
)


class Order(msgspec.Struct):
    item: str
    quantity: int
    price: float
    gift: bool


class Receipt(msgspec.Struct):
    item: str
    total: float
    gift: bool


async def hello() -> str:
    return HELLO


@get("/users/{number:int}")
async def show_user(number: FromPath[int]) -> dict[str, int | str]:
    return person(number)


@get("/")
async def show_page() -> Template:
    return Template(TEMPLATE, context=CONTEXT)


@post("/orders", status_code=200)
async def take_order(data: JSONBody[Order]) -> Receipt:
    return Receipt(data.item, data.quantity * data.price, data.gift)


def passing(app: ASGIApp) -> ASGIApp:
    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    return middleware


def texts(*paths: str) -> list[Any]:
    return [get(path, media_type=MediaType.TEXT)(hello) for path in paths]


def made(handlers: list[Any], **options: Any) -> Litestar:
    return Litestar(handlers, openapi_config=None, **options)


def text() -> Litestar:
    return made(texts("/"))


def user() -> Litestar:
    return made([*texts(*OTHERS), show_user])


def page() -> Litestar:
    engine = JinjaTemplateEngine.from_environment(environment())
    return made([show_page], template_config=TemplateConfig(instance=engine))


def order() -> Litestar:
    return made([take_order])


def five() -> Litestar:
    return made(texts("/"), middleware=[passing] * MIDDLEWARES)
