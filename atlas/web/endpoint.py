"""The innermost step of a chain: the call of a controller, in the way that its route asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from atlas.gateway.greenlets import in_greenlet
from atlas.gateway.threads import in_thread
from atlas.web.controllers import to_response
from atlas.web.middleware.chain import Colour, Errors, Step
from atlas.web.request import Request
from atlas.web.response import Response

__all__ = ["endpoint", "endpoint_with_body"]

Controller = Callable[..., Any]


class Run(Protocol):
    """What of a route says how its controller is called."""

    @property
    def controller(self) -> Controller: ...
    @property
    def run(self) -> str: ...


def endpoint(route: Run, errors: Errors) -> Step:
    """The call of a controller for a request without a body."""
    if route.run == "await":
        return Step(_awaited(route.controller, errors), Colour.ASYNC)
    if route.run == "thread":
        return Step(_elsewhere(in_thread, route.controller, errors), Colour.ASYNC)
    if route.run == "greenlet":
        return Step(_elsewhere(in_greenlet, route.controller, errors), Colour.ASYNC)
    if errors.waits:
        return endpoint_with_body(route, errors)
    return Step(_inline(route.controller, errors), Colour.PLAIN)


def endpoint_with_body(route: Run, errors: Errors) -> Step:
    """The same for a request with a body, which a ``def`` controller finds read: only ``async def`` can wait for it."""
    if route.run != "inline":
        return endpoint(route, errors)
    return Step(_elsewhere(_call, route.controller, errors), Colour.ASYNC)


def _awaited(controller: Controller, errors: Errors) -> Callable[[Any], Any]:
    async def call(request: Any) -> Response:
        try:
            result = await controller(request, *request._values)
            return result if isinstance(result, Response) else to_response(result, controller)
        except Exception as error:
            return await errors.answer(request, error)

    return call


def _inline(controller: Controller, errors: Errors) -> Callable[[Any], Any]:
    def call(request: Any) -> Response:
        try:
            result = controller(request, *request._values)
            return result if isinstance(result, Response) else to_response(result, controller)
        except Exception as error:
            return errors.answer_now(request, error)

    return call


def _elsewhere(run: Callable[..., Any], controller: Controller, errors: Errors) -> Callable[[Any], Any]:
    async def call(request: Any) -> Response:
        try:
            if request.announces_body:
                await request.read_body()
            result = await run(controller, request.seen_as(Request), *request._values)
            return result if isinstance(result, Response) else to_response(result, controller)
        except Exception as error:
            return await errors.answer(request, error)

    return call


async def _call(controller: Controller, request: Request, *values: Any) -> Any:
    return controller(request, *values)
