"""In Falcon (ASGI). It has no models: the order is a dataclass, made of the decoded JSON without a look at the types.

A Falcon middleware is an object with one method before the resource and one after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import falcon
from falcon.asgi import App, Request, Response

from bench.side_by_side.web.apps.content import (
    CONTEXT,
    HELLO,
    MIDDLEWARES,
    OTHERS,
    TEMPLATE,
    environment,
    person,
)

PAGE = environment().get_template(TEMPLATE)


@dataclass
class Order:
    item: str
    quantity: int
    price: float
    gift: bool


class Hello:
    async def on_get(self, request: Request, response: Response) -> None:
        response.content_type = falcon.MEDIA_TEXT
        response.text = HELLO


class User:
    async def on_get(self, request: Request, response: Response, number: int) -> None:
        response.media = person(number)


class Page:
    async def on_get(self, request: Request, response: Response) -> None:
        response.content_type = falcon.MEDIA_HTML
        response.text = PAGE.render(CONTEXT)


class Orders:
    async def on_post(self, request: Request, response: Response) -> None:
        order = Order(**await request.get_media())
        response.media = {"item": order.item, "total": order.quantity * order.price, "gift": order.gift}


class Passing:
    async def process_request(self, request: Request, response: Response) -> None:
        return

    async def process_response(self, request: Request, response: Response, resource: Any, succeeded: bool) -> None:
        return


def text() -> App:
    app = App()
    app.add_route("/", Hello())
    return app


def user() -> App:
    app = App()
    for path in OTHERS:
        app.add_route(path, Hello())
    app.add_route("/users/{number:int}", User())
    return app


def page() -> App:
    app = App()
    app.add_route("/", Page())
    return app


def order() -> App:
    app = App()
    app.add_route("/orders", Orders())
    return app


def five() -> App:
    app = App(middleware=[Passing() for _ in range(MIDDLEWARES)])
    app.add_route("/", Hello())
    return app
