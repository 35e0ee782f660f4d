"""The innermost step of a chain: the call of a controller, in the way that its route asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from atlas.gateway.greenlets import await_
from atlas.gateway.threads import ThreadPool
from atlas.web.controllers import to_response
from atlas.web.middleware.chain import Colour, Errors, Step
from atlas.web.middleware.foreign import start_foreign
from atlas.web.requests.request import Request
from atlas.web.responses.response import DelegatedResponse, Response

__all__ = ["endpoint", "endpoint_with_body"]

Controller = Callable[..., Any]


def endpoint(controller: Controller, run: str, errors: Errors, threads: ThreadPool) -> Step:
    """The call of a controller for a request without a body.

    :param run: ``await``, ``inline``, ``greenlet`` or ``thread``.
    """
    if run == "await":
        return Step(_awaited(controller, errors), Colour.ASYNC)
    if run == "thread":
        return Step(_elsewhere(threads.run, controller, errors), Colour.ASYNC)
    if run == "greenlet":
        return Step(_waiting(controller, errors), Colour.GREENLET)
    if errors.waits:
        return endpoint_with_body(controller, run, errors, threads)
    return Step(_inline(controller, errors), Colour.PLAIN)


def endpoint_with_body(controller: Controller, run: str, errors: Errors, threads: ThreadPool) -> Step:
    """The same for a request with a body, which a ``def`` controller finds read: only ``async def`` can wait for it."""
    if run != "inline":
        return endpoint(controller, run, errors, threads)
    return Step(_elsewhere(_call, controller, errors), Colour.ASYNC)


def _awaited(controller: Controller, errors: Errors) -> Callable[[Any], Any]:
    async def call(request: Any) -> Response:
        try:
            result = await controller(request, *request._values)
            return result if isinstance(result, Response) else await _started(to_response(result, controller), request)
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


def _waiting(controller: Controller, errors: Errors) -> Callable[[Any], Any]:
    """The call of a ``def`` controller in a greenlet: whatever has to wait there, waits."""
    answer = errors.answer_now if not errors.waits else lambda request, error: await_(errors.answer(request, error))

    def call(request: Any) -> Response:
        try:
            result = controller(request, *request._values)
            if isinstance(result, Response):
                return result
            response = to_response(result, controller)
            return await_(_started(response, request)) if isinstance(response, DelegatedResponse) else response
        except Exception as error:
            return answer(request, error)

    return call


def _elsewhere(run: Callable[..., Any], controller: Controller, errors: Errors) -> Callable[[Any], Any]:
    async def call(request: Any) -> Response:
        try:
            if request.announces_body:
                await request.read_body()
            result = await run(controller, request.seen_as(Request), *request._values)
            return result if isinstance(result, Response) else await _started(to_response(result, controller), request)
        except Exception as error:
            return await errors.answer(request, error)

    return call


async def _call(controller: Controller, request: Request, *values: Any) -> Any:
    return controller(request, *values)


async def _started(response: Response, request: Any) -> Response:
    """An ASGI application as a result is started, so that the middleware around sees its status and its fields."""
    if isinstance(response, DelegatedResponse):
        return await start_foreign(response.app, request.scope, request._receive)
    return response
