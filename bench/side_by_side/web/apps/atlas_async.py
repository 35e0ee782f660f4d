"""In Atlas, with ``async def`` controllers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from atlas import Application, AsyncRequest, Response, Route, TextResponse, render
from bench.side_by_side.web.apps.atlas import Order, Receipt
from bench.side_by_side.web.apps.content import CONTEXT, FOLDER, HELLO, MIDDLEWARES, OTHERS, TEMPLATE, person


async def hello(request: AsyncRequest) -> Response:
    return TextResponse(HELLO)


async def show_user(request: AsyncRequest, number: int) -> dict[str, int | str]:
    return person(number)


async def show_page(request: AsyncRequest) -> Response:
    return render(request, TEMPLATE, CONTEXT)


async def take_order(request: AsyncRequest) -> Receipt:
    order = await request.json(Order)
    return Receipt(order.item, order.quantity * order.price, order.gift)


async def passing(request: AsyncRequest, call_next: Callable[[AsyncRequest], Awaitable[Response]]) -> Response:
    return await call_next(request)


def text() -> Application:
    return Application([Route("/", hello)])


def user() -> Application:
    return Application([*(Route(path, hello) for path in OTHERS), Route("/users/{number:int}", show_user)])


def page() -> Application:
    return Application([Route("/", show_page)], config={"template_dirs": [str(FOLDER)]})


def order() -> Application:
    return Application([Route("/orders", take_order, methods=["POST"])])


def five() -> Application:
    return Application([Route("/", hello)], middleware=[passing] * MIDDLEWARES)
