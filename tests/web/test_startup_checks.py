"""What is almost right stops the start, with one line that names file and line."""

import asyncio
import functools
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Optional

import httpx
import pytest

from atlas import Application, Controller, Host, Include, Route, StartupError
from atlas.web.controllers import says_none
from atlas.web.lifespan import Lifespan
from atlas.web.routing.router import Router

Ask = Callable[..., httpx.Response]


def home(request: Any, *values: Any) -> str:
    return "home"


async def lifespan(app: Any) -> AsyncIterator[None]:
    yield


def sync_lifespan(app: Any) -> Iterator[None]:
    yield


async def coroutine_lifespan(app: Any) -> None: ...


def lifespan_of_nothing(app: Any) -> Any:
    return 5


def module(**values: Any) -> ModuleType:
    made = ModuleType("settings")
    vars(made).update(values)
    return made


@pytest.mark.parametrize("name", ["get", "post", "put", "patch", "delete", "route", "websocket"])
def test_a_decorator_without_brackets(name: str) -> None:
    with pytest.raises(
        StartupError, match=rf"test_startup_checks.py:\d+: @app.{name} needs a path.*got <function home"
    ):
        getattr(Application(), name)(home)


def test_an_exception_handler_without_brackets() -> None:
    with pytest.raises(StartupError, match=r"test_startup_checks.py:\d+: @app.exception_handler needs a status"):
        Application().exception_handler(home)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/<int:id>", "'<int:id>': a parameter is written '{id:int}'"),
        ("/users/<name>/edit", "'<name>': a parameter is written '{name}'"),
        ("/<string(length=2):code>", "a parameter is written '{code:string}'"),
        ("/:id/x", "':id': a parameter is written '{id}'"),
        ("/files/*", "'\\*': a parameter is written '{rest:path}'"),
        ("/*rest", "'\\*rest': a parameter is written '{rest:path}'"),
    ],
)
def test_parameters_of_other_frameworks(path: str, message: str) -> None:
    with pytest.raises(StartupError, match=rf"test_startup_checks.py:\d+: route '.*': {message}"):
        Route(path, home)


@pytest.mark.parametrize("path", ["/a<b", "/documents:batchGet", "/2*3", "/a:b"])
def test_text_that_is_no_parameter_is_text(path: str) -> None:
    assert Route(path, home).parameter_names == ()


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("GTE", "'GTE' is no method; did you mean 'GET'"),
        ("delte", "'DELTE' is no method; did you mean 'DELETE'"),
        ("{}", "'{}' is no method$"),
    ],
)
def test_unknown_methods(method: str, message: str) -> None:
    with pytest.raises(StartupError, match=rf"test_startup_checks.py:\d+: route '/': {message}"):
        Route("/", home, methods=[method])


@pytest.mark.parametrize(
    "make", [Application, Router, lambda routes: Include("/x", routes), lambda r: Host("a.test", r)]
)
@pytest.mark.parametrize(
    ("routes", "message"),
    [
        ([("/", home)], r"got \('/', .*\): write Route\('/', ...\)"),
        ([home], "expected a Route, an Include, a Mount ..., got <function home"),
        ([Route], "got <class"),
        ("main", "routes: expected a list such as .*, got 'main'"),
        (5, "routes: expected a list such as .*, got 5"),
    ],
)
def test_what_is_no_route(make: Any, routes: Any, message: str) -> None:
    with pytest.raises(
        StartupError, match=rf"test_startup_checks.py:\d+: routes: .*{message[8:] if 'routes' in message else message}"
    ):
        make(routes)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lifespan,
            r"test_startup_checks.py:\d+: lifespan: lifespan needs the decorator @contextlib.asynccontextmanager",
        ),
        (sync_lifespan, "sync_lifespan needs the decorator @contextlib.contextmanager"),
        (coroutine_lifespan, "expected a function that returns a context manager"),
        (5, "lifespan: expected a function that returns a context manager, got 5"),
    ],
)
def test_a_lifespan_that_is_no_context_manager(function: Any, message: str) -> None:
    with pytest.raises(StartupError, match=message):
        Application(lifespan=function)


def test_a_lifespan_that_returns_no_context_manager() -> None:
    sent: list[Any] = []

    async def send(event: Any) -> None:
        sent.append(event)

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    asyncio.run(Lifespan(None, lifespan_of_nothing)({"type": "lifespan"}, receive, send))
    assert sent[0]["type"] == "lifespan.startup.failed"
    assert "expected a context manager from <function lifespan_of_nothing" in sent[0]["message"]


@pytest.mark.parametrize("config", [{"DEBUG": True}, module(DEBUG=True), {"Debug": True}, {"DEBGU": True}])
def test_settings_in_upper_case(config: Any) -> None:
    with pytest.raises(StartupError, match=r"test_startup_checks.py:\d+: config: no setting .*; did you mean 'debug'"):
        Application(config=config)


def test_other_constants_of_a_module_are_its_own() -> None:
    assert Application(config=module(PAGE_SIZE=20, debug=True)).debug


@pytest.mark.parametrize(
    ("source", "last"),
    [
        ("app = Application([('/', print)])", "app.py:2: routes: expected a Route"),
        ("def make():\n    return Application('x')\napp = make()", "app.py:3: routes: expected a list"),
        (
            "app = Application()\n@app.on_startup\ndef start(): raise ValueError('no database')",
            "ValueError: no database",
        ),
    ],
)
def test_the_start_has_no_traceback_of_atlas(tmp_path: Path, source: str, last: str) -> None:
    (tmp_path / "app.py").write_text(f"from atlas import Application\n{source}\n")
    command = [sys.executable, "-m", "atlas", "serve", "app:app", "--port", "0"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert last in done.stderr.strip().splitlines()[-1]
    assert "atlas/" not in done.stderr.replace(str(tmp_path), "")
    assert ".pyx" not in done.stderr


def forgotten(request: Any):  # type: ignore[no-untyped-def]
    home(request)


async def forgotten_async(request: Any):  # type: ignore[no-untyped-def]
    home(request)


def forgotten_str(request: Any) -> str:  # type: ignore[empty-body]
    home(request)


class Forgotten(Controller):
    def get(self, request: Any):  # type: ignore[no-untyped-def]
        home(request)

    async def post(self, request: Any) -> None:
        home(request)


@pytest.mark.parametrize("controller", [forgotten, forgotten_async, forgotten_str, Forgotten])
@pytest.mark.parametrize("run", ["auto", "thread", "inline"])
def test_a_forgotten_return_is_an_error_that_names_the_controller(
    ask: Ask, caplog: pytest.LogCaptureFixture, controller: Any, run: Any
) -> None:
    if controller is forgotten_async and run != "auto":
        return
    app = Application([Route("/", controller, run="auto" if controller is Forgotten else run)])
    assert ask(app, "GET", "/").status_code == 500
    error = next(record.exc_info for record in caplog.records if record.exc_info)
    assert error is not None
    name = "get" if controller is Forgotten else controller.__name__
    assert f"the controller {name} ({__file__}:" in str(error[1])
    assert "returned None: is a 'return' missing?" in str(error[1])


def none(request: Any) -> None: ...


async def none_async(request: Any) -> None: ...


def maybe(request: Any) -> str | None: ...


@pytest.mark.parametrize("controller", [none, none_async, maybe, lambda request: None, functools.partial(none)])
def test_a_controller_that_says_so_answers_204(ask: Ask, controller: Any) -> None:
    app = Application([Route("/", controller), Route("/class", Forgotten, name="class")])
    answer = ask(app, "GET", "/")
    assert (answer.status_code, answer.content) == (204, b"")
    assert ask(app, "POST", "/class").status_code == 204


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        (None, True),
        (type(None), True),
        (Optional[str], True),  # noqa: UP045
        (str | None, True),
        ("str | None", True),
        ("Optional[Page]", True),
        (str, False),
        (Any, False),
        ("Nonesuch", False),
    ],
)
def test_what_says_none(annotation: Any, says: bool) -> None:
    def controller(request: Any): ...  # type: ignore[no-untyped-def]

    controller.__annotations__["return"] = annotation
    assert says_none(controller) is says
