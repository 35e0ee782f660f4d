import asyncio
import re
from collections.abc import Callable
from itertools import product
from typing import Any

import httpx
import pytest

from atlas import Application, HTTPException, Response, Route, StartupError, TextResponse, abort
from atlas.web.asgi import Middleware

Ask = Callable[..., httpx.Response]


def sync(request: Any) -> str:
    request.state.seen.append(type(request).__name__)
    return "sync"


async def awaited(request: Any) -> str:
    request.state.seen.append(type(request).__name__)
    return "awaited"


class Note:
    """A middleware of the hook style that writes down what it sees."""

    def __init__(self, name: str) -> None:
        self.name = name

    def before(self, request: Any) -> Any:
        request.scope.setdefault("state", {}).setdefault("seen", []).append(f"{self.name} before")

    def after(self, request: Any, response: Response) -> Any:
        request.state.seen.append(f"{self.name} after {response.status_code}")
        response.headers["x-seen"] = ", ".join(request.state.seen)


class WaitingNote(Note):
    async def before(self, request: Any) -> None:
        await asyncio.sleep(0)
        super().before(request)

    async def after(self, request: Any, response: Response) -> None:
        await asyncio.sleep(0)
        super().after(request, response)


def plain_function(name: str) -> Any:
    note = Note(name)

    def function(request: Any, call_next: Any) -> Response:
        assert type(request).__name__ == "Request"
        note.before(request)
        response: Response = call_next(request)
        note.after(request, response)
        return response

    return function


def async_function(name: str) -> Any:
    note = Note(name)

    async def function(request: Any, call_next: Any) -> Response:
        assert type(request).__name__ == "AsyncRequest"
        note.before(request)
        response: Response = await call_next(request)
        note.after(request, response)
        return response

    return function


STYLES = {"hooks": Note, "waiting hooks": WaitingNote, "def": plain_function, "async def": async_function}


@pytest.mark.parametrize("first", STYLES)
def test_every_mixture_runs_in_order(ask: Ask, first: str) -> None:
    for second, third, controller, method in product(STYLES, STYLES, [sync, awaited], ["GET", "POST"]):
        mixture = f"{second}, {third}, {controller.__name__}, {method}"
        outer = [STYLES[first]("a"), STYLES[second]("b")]
        app = Application([Route("/", controller, [method], middleware=[STYLES[third]("c")])], middleware=outer)
        response = ask(app, method, "/")
        kind = "Request" if controller is sync else "AsyncRequest"
        assert response.text == controller.__name__, mixture
        assert response.headers["x-seen"] == (
            f"a before, b before, c before, {kind}, c after 200, b after 200, a after 200"
        ), mixture


@pytest.mark.parametrize("controller", [sync, awaited])
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/none", 404), ("PUT", "/", 405), ("POST", "/e", 500)])
@pytest.mark.parametrize("waits", [True, False])
def test_error_pages_pass_the_middleware(
    ask: Ask, style: str, controller: Any, method: str, path: str, status: int, waits: bool
) -> None:
    async def later(request: Any, error: Exception) -> Any:
        await asyncio.sleep(0)
        return "later", status

    def now(request: Any, error: Exception) -> Any:
        return "now", status

    async def fail_later(request: Any) -> None:
        raise KeyError

    def fail(request: Any) -> None:
        raise KeyError

    routes = [Route("/", controller), Route("/e", fail if controller is sync else fail_later, ["POST"])]
    handler = later if waits else now
    app = Application(routes, middleware=[STYLES[style]("a")], exception_handlers={status: handler})
    response = ask(app, method, path, content=b"x")
    assert (response.status_code, response.text) == (status, handler.__name__)
    assert response.headers["x-seen"].endswith(f"a after {status}")


@pytest.mark.parametrize("run", ["inline", "greenlet", "thread"])
def test_a_body_that_is_too_large_is_answered_inside(ask: Ask, run: Any) -> None:
    def reads(request: Any) -> bytes:
        return request.body()

    route = Route("/", reads, ["POST"], limit_body=3, run=run)
    app = Application([route], middleware=[plain_function("a"), Note("b")])
    response = ask(app, "POST", "/", content=b"1234")
    assert response.headers["x-seen"] == "a before, b before, b after 413, a after 413"


class Refuse:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def before(self, request: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def after(self, request: Any, response: Response) -> None:
        request.state.seen.append("refuse after")


class OnlyAfter:
    def after(self, request: Any, response: Response) -> None:
        request.state.seen.append("only after")


@pytest.mark.parametrize("inner", [Note, WaitingNote])
@pytest.mark.parametrize("controller", [sync, awaited])
@pytest.mark.parametrize(
    ("answer", "status", "seen"),
    [
        (TextResponse("no", 403), 403, "refuse after, only after, a after 403"),
        (("no", 403), 403, "refuse after, only after, a after 403"),
        (HTTPException(403), 403, "only after, a after 403"),
        (KeyError("x"), 500, "only after, a after 500"),
    ],
)
def test_before_may_end_it(ask: Ask, inner: Any, controller: Any, answer: Any, status: int, seen: str) -> None:
    app = Application([Route("/", controller)], middleware=[Note("a"), OnlyAfter(), Refuse(answer), inner("b")])
    response = ask(app, "GET", "/")
    assert response.status_code == status
    assert response.headers["x-seen"] == f"a before, {seen}"


@pytest.mark.parametrize("controller", [sync, awaited])
@pytest.mark.parametrize("waits", [True, False])
def test_after_may_answer_or_fail(ask: Ask, controller: Any, waits: bool) -> None:
    class Other:
        def after(self, request: Any, response: Response) -> Any:
            return "other"

    class Fail:
        def after(self, request: Any, response: Response) -> Any:
            abort(418)

    first = (WaitingNote if waits else Note)("a")
    app = Application([Route("/", controller)], middleware=[first, Other()])
    assert ask(app, "GET", "/").text == "other"
    response = ask(Application([Route("/", controller)], middleware=[first, Fail()]), "GET", "/")
    assert response.status_code == 418
    assert response.headers["x-seen"].endswith("a after 418")


def test_a_function_that_fails_or_returns_something_else(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    def other(request: Any, call_next: Any) -> Any:
        return {"other": True}

    async def fail(request: Any, call_next: Any) -> Any:
        abort(409)

    assert ask(Application([Route("/", awaited)], middleware=[other]), "GET", "/").json() == {"other": True}
    assert ask(Application([Route("/", sync)], middleware=[fail]), "GET", "/").status_code == 409
    assert (
        ask(Application([Route("/", sync)], middleware=[lambda request, call_next: 5]), "GET", "/").status_code == 500
    )


def test_the_decorator_adds_inside_of_the_others(ask: Ask) -> None:
    app = Application([Route("/", sync)], middleware=[Note("a")])
    assert ask(app, "GET", "/").headers["x-seen"] == "a before, Request, a after 200"
    app.middleware(async_function("b"))
    assert ask(app, "GET", "/").headers["x-seen"] == "a before, b before, Request, b after 200, a after 200"


def test_bind_is_called_once(ask: Ask) -> None:
    bound = []

    class Bound(Note):
        def bind(self, application: Application) -> None:
            bound.append(application)

    note = Bound("a")
    app = Application([Route("/", sync, middleware=[note])], middleware=[note])
    ask(app, "GET", "/")
    app.get("/x")(sync)
    ask(app, "GET", "/")
    assert bound == [app]


@pytest.mark.parametrize(
    ("middleware", "message"),
    [
        (Note, r"the middleware Note is a class: write Note\(...\), or Middleware\(Note, ...\) for ASGI"),
        (5, "the middleware is 5, expected a function"),
        (lambda request: None, "the middleware .* is called with the request and call_next"),
    ],
)
def test_what_cannot_be_middleware_stops_the_start(middleware: Any, message: str) -> None:
    with pytest.raises(StartupError, match=rf"test_chain.py:\d+: .*{message}"):
        Application(middleware=[middleware])
    with pytest.raises(StartupError, match=rf"test_chain.py:\d+: .*{message}"):
        Route("/", sync, middleware=[middleware])


def test_asgi_middleware_among_the_others(ask: Ask) -> None:
    class Add:
        def __init__(self, app: Any, value: str) -> None:
            self.app, self.value = app, value

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def add(event: Any) -> None:
                if event["type"] == "http.response.start":
                    event["headers"].append((b"x-added", self.value.encode()))
                await send(event)

            await self.app(scope, receive, add)

    for controller in (sync, awaited):
        app = Application(
            [Route("/", controller)],
            middleware=[plain_function("a"), Note("b"), Middleware(Add, value="1"), async_function("c")],
        )
        response = ask(app, "GET", "/")
        assert response.headers["x-added"] == "1"
        assert response.headers["x-seen"].endswith("c after 200, b after 200, a after 200")
        assert ask(app, "GET", "/none").headers["x-added"] == "1"


def lost(request: Any, call_next: Any) -> Any:
    call_next(request)


async def lost_async(request: Any, call_next: Any) -> Any:
    await call_next(request)


async def not_awaited(request: Any, call_next: Any) -> Any:
    return call_next(request)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lost, r"the middleware lost \(.*test_chain\.py:\d+\) returned None; expected a response"),
        (lost_async, r"the middleware lost_async \(.*test_chain\.py:\d+\) returned None; expected a response"),
        (
            not_awaited,
            r"the middleware not_awaited \(.*test_chain\.py:\d+\) returned an awaitable: write 'return await",
        ),
    ],
)
def test_a_middleware_that_returns_no_response_is_an_error(ask: Ask, caplog: Any, function: Any, message: str) -> None:
    async def controller(request: Any) -> str:
        return "x"

    response = ask(Application([Route("/", controller)], middleware=[function]), "GET", "/")
    assert response.status_code == 500
    assert re.search(message, caplog.text)
