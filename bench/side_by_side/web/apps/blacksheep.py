"""In BlackSheep, with a dataclass bound to the body."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from blacksheep import Application, Request, Response, Router, json
from blacksheep import text as plain_text
from blacksheep.server.rendering.jinja2 import JinjaRenderer
from blacksheep.server.responses import view
from blacksheep.settings.html import html_settings
from jinja2 import DictLoader

from bench.side_by_side.web.apps.content import CONTEXT, FOLDER, HELLO, MIDDLEWARES, OTHERS, TEMPLATE, person


@dataclass
class Order:
    item: str
    quantity: int
    price: float
    gift: bool


async def hello() -> Response:
    return plain_text(HELLO)


async def show_user(number: int) -> Response:
    return json(person(number))


async def show_page() -> Response:
    return view(TEMPLATE, CONTEXT)


async def take_order(order: Order) -> Response:
    return json({"item": order.item, "total": order.quantity * order.price, "gift": order.gift})


async def passing(request: Request, handler: Callable[[Request], Awaitable[Response]]) -> Response:
    return await handler(request)


def text() -> Application:
    app = Application(router=Router())
    app.router.add_get("/", hello)
    return app


def user() -> Application:
    app = Application(router=Router())
    for path in OTHERS:
        app.router.add_get(path, hello)
    app.router.add_get("/users/{number}", show_user)
    return app


def page() -> Application:
    # Its views end in .jinja, whatever else they may be called.
    html_settings.use(JinjaRenderer(DictLoader({f"{TEMPLATE}.jinja": (FOLDER / TEMPLATE).read_text()})))
    app = Application(router=Router())
    app.router.add_get("/", show_page)
    return app


def order() -> Application:
    app = Application(router=Router())
    app.router.add_post("/orders", take_order)
    return app


def five() -> Application:
    app = text()
    for _ in range(MIDDLEWARES):
        app.middlewares.append(passing)
    return app
