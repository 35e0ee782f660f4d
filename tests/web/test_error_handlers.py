import asyncio
import gc
import logging
import weakref
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from atlas import (
    Application,
    AsyncRequest,
    ClientDisconnected,
    ContentTooLarge,
    FormLimits,
    NotFound,
    Request,
    Route,
    StartupError,
    TestClient,
)
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


class Noted:
    """Something that a controller has in a variable."""


@pytest.mark.parametrize("kind", ["expected", "handled", "unhandled", "chained"])
@pytest.mark.parametrize("run", ["greenlet", "thread", "await"])
def test_an_exception_made_once_keeps_no_request(
    ask: Callable[..., httpx.Response], kind: str, run: Any, caplog: pytest.LogCaptureFixture
) -> None:
    error: Exception = ValueError("each time") if kind == "unhandled" else NotFound("each time")
    noted: list[weakref.ref[Noted]] = []

    def fail() -> None:
        thing = Noted()
        noted.append(weakref.ref(thing))
        if kind != "chained":
            raise error
        try:
            raise KeyError(thing)
        except KeyError as reason:
            raise error from reason

    def sync(request: Request) -> None:
        fail()

    async def waiting(request: AsyncRequest) -> None:
        await asyncio.sleep(0)
        fail()

    handlers: Any = {404: lambda request, error: "none"} if kind == "handled" else None
    route = Route("/", waiting) if run == "await" else Route("/", sync, run=run)
    app = Application([route], exception_handlers=handlers)
    for _ in range(10):
        caplog.clear()
        with caplog.at_level(logging.CRITICAL):
            ask(app, "GET", "/")
    gc.collect()
    assert len(noted) == 10
    assert not any(each() for each in noted[1:]), "the first may stay, in case that the program reports it later"
    assert error.__traceback__ is None
    assert error.__context__ is error.__cause__ is None


def test_a_request_over_a_limit_is_logged_with_its_setting_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    def read(request: Request) -> str:
        return str(len(request.body()))

    def fill_in(request: Request) -> str:
        return str(len(request.form(FormLimits(text=1))))

    def refuse(request: Request) -> str:
        raise ContentTooLarge("not today")

    app = Application(
        [
            Route("/body", read, ["POST"], limit_body=10),
            Route("/form", fill_in, ["POST"]),
            Route("/own", refuse, ["POST"]),
        ]
    )
    with TestClient(app) as client, caplog.at_level(logging.WARNING, "atlas.web"):
        for _ in range(3):
            assert client.post("/body", content=b"x" * 11).status_code == 413
            assert client.post("/form", data={"a": "1", "b": "2"}).status_code == 413
            assert client.post("/own").status_code == 413
    assert caplog.messages == [
        "POST '/body': refused with 413: a body may have 10 bytes here (limit_body)",
        "POST '/form': refused with 413: a form has at most 1 bytes of text (FormLimits(text=))",
    ]
