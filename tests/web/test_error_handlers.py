import asyncio
from typing import Any

import pytest

from atlas import Application, ClientDisconnected, NotFound, Request, StartupError
from atlas._speedups.calls.handlers import RunMode
from atlas.gateway.greenlets import Greenlets, in_greenlet
from atlas.web.error_handlers import ErrorHandlers


def request(**scope: Any) -> Request:
    whole: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": [], **scope}
    return Request(Application(), whole, None)  # type: ignore[arg-type]


def handlers() -> ErrorHandlers:
    return ErrorHandlers(debug=False, greenlets=Greenlets())


def answer_now(errors: ErrorHandlers, request: Any, error: Exception) -> Any:
    return errors.in_mode(RunMode.GREENLET)(request, error)


def answer(errors: ErrorHandlers, request: Any, error: Exception) -> Any:
    return asyncio.run(errors.in_mode(RunMode.ASYNC)(request, error))


def test_without_handlers() -> None:
    errors = handlers()
    assert not errors
    assert errors.in_mode(RunMode.INLINE)(request(), NotFound()).status_code == 404
    assert answer_now(errors, request(), NotFound()).status_code == 404
    assert answer(errors, request(), NotFound()).status_code == 404


def test_an_async_handler_waits() -> None:
    async def handler(request: Any, error: Exception) -> str:
        await asyncio.sleep(0)
        return "late"

    errors = handlers()
    errors.add(404, handler, "here:1")
    assert errors
    assert answer(errors, request(), NotFound()).body == b"late"
    assert answer(errors, request(), KeyError()).status_code == 500
    assert asyncio.run(in_greenlet(answer_now, errors, request(), NotFound())).body == b"late"


def test_a_disconnected_client_is_not_answered() -> None:
    errors = handlers()
    errors.add(Exception, lambda request, error: "never", "here:1")
    with pytest.raises(ClientDisconnected):
        answer_now(errors, request(), ClientDisconnected())
    with pytest.raises(ClientDisconnected):
        answer(errors, request(), ClientDisconnected())


def test_a_listener_receives_unhandled_exceptions() -> None:
    errors = handlers()
    heard: list[Exception] = []
    error = KeyError("x")
    answer_now(errors, request(**{"atlas.on_error": heard.append}), error)
    answer_now(errors, request(**{"atlas.on_error": heard.append}), NotFound())
    assert heard == [error]


def test_an_invalid_handler_names_its_line() -> None:
    with pytest.raises(StartupError, match="^here:1: exception handler: expected a status from 400"):
        handlers().add(200, print, "here:1")
