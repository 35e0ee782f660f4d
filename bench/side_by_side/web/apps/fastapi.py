"""In FastAPI, with Pydantic models in and out, and without its documentation pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from fastapi.templating import Jinja2Templates
from pydantic import BaseModel

from bench.side_by_side.web.apps.content import (
    CONTEXT,
    HELLO,
    MIDDLEWARES,
    OTHERS,
    TEMPLATE,
    environment,
    person,
)

TEMPLATES = Jinja2Templates(env=environment())


class Person(BaseModel):
    id: int
    name: str


class Order(BaseModel):
    item: str
    quantity: int
    price: float
    gift: bool


class Receipt(BaseModel):
    item: str
    total: float
    gift: bool


async def hello() -> str:
    return HELLO


async def show_user(number: int) -> Person:
    return Person.model_validate(person(number))


async def show_page(request: Request) -> Response:
    return TEMPLATES.TemplateResponse(request, TEMPLATE, CONTEXT)


async def take_order(order: Order) -> Receipt:
    return Receipt(item=order.item, total=order.quantity * order.price, gift=order.gift)


async def passing(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    return await call_next(request)


def text() -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.get("/", response_class=PlainTextResponse)(hello)
    return app


def user() -> FastAPI:
    app = FastAPI(openapi_url=None)
    for path in OTHERS:
        app.get(path, response_class=PlainTextResponse)(hello)
    app.get("/users/{number}")(show_user)
    return app


def page() -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.get("/")(show_page)
    return app


def order() -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.post("/orders")(take_order)
    return app


def five() -> FastAPI:
    app = text()
    for _ in range(MIDDLEWARES):
        app.middleware("http")(passing)
    return app
