"""In Starlette. It has no models: the order is a dataclass, made of the decoded JSON without a look at the types.

A function is made a middleware by ``BaseHTTPMiddleware``. ``five_pure`` has what its documentation recommends where
that is too slow: classes that are ASGI applications themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp, Receive, Scope, Send

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


@dataclass
class Order:
    item: str
    quantity: int
    price: float
    gift: bool


async def hello(request: Request) -> Response:
    return PlainTextResponse(HELLO)


async def show_user(request: Request) -> Response:
    return JSONResponse(person(request.path_params["number"]))


async def show_page(request: Request) -> Response:
    return TEMPLATES.TemplateResponse(request, TEMPLATE, CONTEXT)


async def take_order(request: Request) -> Response:
    order = Order(**await request.json())
    return JSONResponse({"item": order.item, "total": order.quantity * order.price, "gift": order.gift})


async def passing(request: Request, call_next: RequestResponseEndpoint) -> Response:
    return await call_next(request)


class Passing:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def text() -> Starlette:
    return Starlette(routes=[Route("/", hello)])


def user() -> Starlette:
    return Starlette(routes=[*(Route(path, hello) for path in OTHERS), Route("/users/{number:int}", show_user)])


def page() -> Starlette:
    return Starlette(routes=[Route("/", show_page)])


def order() -> Starlette:
    return Starlette(routes=[Route("/orders", take_order, methods=["POST"])])


def five() -> Starlette:
    middleware = [Middleware(BaseHTTPMiddleware, dispatch=passing)] * MIDDLEWARES
    return Starlette(routes=[Route("/", hello)], middleware=middleware)


def five_pure() -> Starlette:
    return Starlette(routes=[Route("/", hello)], middleware=[Middleware(Passing)] * MIDDLEWARES)
