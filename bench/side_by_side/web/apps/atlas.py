"""In Atlas, with ``def`` controllers."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from atlas import Application, Request, Response, Route, TextResponse, render
from bench.side_by_side.web.apps.content import CONTEXT, FOLDER, HELLO, MIDDLEWARES, OTHERS, TEMPLATE, person


class Order(msgspec.Struct):
    """What is posted."""

    item: str
    quantity: int
    price: float
    gift: bool


class Receipt(msgspec.Struct):
    """What is answered."""

    item: str
    total: float
    gift: bool


def hello(request: Request) -> Response:
    return TextResponse(HELLO)


def show_user(request: Request, number: int) -> dict[str, int | str]:
    return person(number)


def show_page(request: Request) -> Response:
    return render(request, TEMPLATE, CONTEXT)


def take_order(request: Request) -> Receipt:
    order = request.json(Order)
    return Receipt(order.item, order.quantity * order.price, order.gift)


def passing(request: Request, call_next: Callable[[Request], Response]) -> Response:
    return call_next(request)


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
