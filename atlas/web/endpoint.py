"""The innermost step of a middleware chain: calls a controller in the run mode of its route."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from atlas._speedups.calls.handlers import Endpoint, RunMode
from atlas._speedups.calls.response import BaseResponse
from atlas.gateway.greenlets import await_
from atlas.gateway.threads import ThreadPool
from atlas.web.controllers import says_none, to_response, to_response_or_none
from atlas.web.middleware.chain import Errors
from atlas.web.requests.request import Request
from atlas.web.responses.streaming import StreamingResponse

__all__ = ["endpoint"]

Controller = Callable[..., Any]


def endpoint(
    controller: Controller, run: str, errors: Errors, threads: ThreadPool, *, inline: bool = False
) -> Endpoint:
    """Create the endpoint for a controller.

    :param controller: the controller.
    :param run: ``await``, ``inline``, ``greenlet`` or ``thread``.
    :param errors: converts exceptions to responses.
    :param threads: the pool for ``thread``.
    :param inline: for ``inline``: whether the chain around the controller never waits and the request has no body. Else
        a coroutine reads the body first, and then calls the controller. Default False.
    """
    if run == "await":
        return _endpoint(controller, RunMode.ASYNC, errors)
    if run == "thread":
        return _endpoint(_in_thread(controller, threads), RunMode.ASYNC, errors)
    if run == "greenlet":
        return _endpoint(controller, RunMode.GREENLET, errors)
    if inline:
        return _endpoint(controller, RunMode.INLINE, errors)
    return _endpoint(_after_body(controller), RunMode.ASYNC, errors)


def _endpoint(controller: Controller, run_mode: RunMode, errors: Errors) -> Endpoint:
    convert = to_response_or_none if says_none(controller) else to_response
    return Endpoint(controller, run_mode, convert, errors.in_mode(run_mode), await_)


def _in_thread(controller: Controller, threads: ThreadPool) -> Controller:
    @wraps(controller)
    async def call(request: Any, *values: Any) -> Any:
        if request.may_have_body:
            await request.read_body()
        result = await threads.run(controller, request.as_type(Request), *values)
        response = result if isinstance(result, BaseResponse) else to_response(result, controller)
        if isinstance(response, StreamingResponse):
            response.use_threads(threads)
        return response

    return call


def _after_body(controller: Controller) -> Controller:
    @wraps(controller)
    async def call(request: Any, *values: Any) -> Any:
        if request.may_have_body:
            await request.read_body()
        return controller(request.as_type(Request), *values)

    return call
