import asyncio
from functools import partial
from typing import Any

import pytest

from atlas import Application, AsyncRequest, Request, Response, TextResponse, await_
from atlas.gateway.greenlets import Greenlets, in_greenlet
from atlas.web.adapters import any_mode, async_form, is_inline, sync_form


def request(kind: type[Any] = Request) -> Any:
    return kind(Application(), {"type": "http", "method": "GET", "path": "/", "headers": []}, None)


async def later(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


def now(request: Any, value: Any) -> Any:
    assert type(request) is Request
    return await_(later(value))


async def awaited(request: Any, value: Any) -> Any:
    assert type(request) is AsyncRequest
    return await later(value)


@any_mode(waits=False)
def ours(request: Any, value: Any) -> Any:
    return value


@any_mode(waits=True)
def ours_that_waits(request: Any, value: Any) -> Any:
    return later(value)


FUNCTIONS = [now, awaited, partial(awaited), ours, ours_that_waits]


def called_in_sync_code(function: Any, value: Any, *, optional: bool = True) -> Any:
    return asyncio.run(in_greenlet(sync_form(function, optional=optional), request(), value))


def called_in_a_coroutine(function: Any, value: Any, *, optional: bool = True) -> Any:
    async def go() -> Any:
        call, waits = async_form(function, Greenlets(), optional=optional)
        result = call(request(AsyncRequest), value)
        return await result if waits and result is not None and not isinstance(result, Response) else result

    return asyncio.run(go())


@pytest.mark.parametrize("called", [called_in_sync_code, called_in_a_coroutine])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_kind_in_each_place(called: Any, function: Any) -> None:
    response = TextResponse("x")
    assert called(function, response) is response
    assert called(function, None) is None


@pytest.mark.parametrize("called", [called_in_sync_code, called_in_a_coroutine])
@pytest.mark.parametrize("function", [now, awaited])
def test_a_result_becomes_a_response(called: Any, function: Any) -> None:
    assert called(function, "text").body == b"text"
    assert called(function, (None, 204), optional=False).status_code == 204
    with pytest.raises(TypeError, match=r"returned None: is a 'return' missing\?"):
        called(function, None, optional=False)


class Pending(TextResponse):
    async def complete(self, request: Any) -> Response:
        return TextResponse(await later("complete"))


@pytest.mark.parametrize("called", [called_in_sync_code, called_in_a_coroutine])
@pytest.mark.parametrize("function", [now, awaited])
def test_a_pending_response_is_completed(called: Any, function: Any) -> None:
    response = Pending("")
    response.pending = True
    assert called(function, response).body == b"complete"


def test_only_what_is_marked_stays_inline() -> None:
    assert [is_inline(function) for function in FUNCTIONS] == [False, False, False, True, False]
