import asyncio
from typing import Any

import pytest

from atlas import Application, ClientDisconnected, NotFound, Request, StartupError
from atlas.web.error_handlers import ErrorHandlers


def request(**scope: Any) -> Request:
    whole: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": [], **scope}
    return Request(Application(), whole, None)  # type: ignore[arg-type]


def test_without_handlers() -> None:
    errors = ErrorHandlers(debug=False)
    assert not errors.waits
    assert errors.answer_now(request(), NotFound()).status_code == 404
    assert asyncio.run(errors.answer(request(), NotFound())).status_code == 404


def test_an_async_handler_waits() -> None:
    async def handler(request: Any, error: Exception) -> str:
        await asyncio.sleep(0)
        return "late"

    errors = ErrorHandlers(debug=False)
    errors.add(404, handler, "here:1")
    assert errors.waits
    assert asyncio.run(errors.answer(request(), NotFound())).body == b"late"
    assert asyncio.run(errors.answer(request(), KeyError())).status_code == 500


def test_a_client_that_left_is_not_answered() -> None:
    errors = ErrorHandlers(debug=False)
    errors.add(Exception, lambda request, error: "never", "here:1")
    with pytest.raises(ClientDisconnected):
        errors.answer_now(request(), ClientDisconnected())
    with pytest.raises(ClientDisconnected):
        asyncio.run(errors.answer(request(), ClientDisconnected()))


def test_who_asks_hears_of_surprises() -> None:
    errors = ErrorHandlers(debug=False)
    heard: list[Exception] = []
    surprise = KeyError("x")
    errors.answer_now(request(**{"atlas.on_error": heard.append}), surprise)
    errors.answer_now(request(**{"atlas.on_error": heard.append}), NotFound())
    assert heard == [surprise]


def test_the_place_of_a_mistake() -> None:
    with pytest.raises(StartupError, match="^here:1: exception handler: expected a status from 400"):
        ErrorHandlers(debug=False).add(200, print, "here:1")
