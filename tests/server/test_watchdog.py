"""What is told of a loop that is held, when, and how often."""

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import httpx
import pytest

from atlas import Application, Route
from atlas.server.watchdog import Watchdog
from tests.server.test_culprits import chain, code, here, ours, step

PATIENCE = 10.0


class Told(logging.Handler):
    """The warnings of the server, and a way to wait for the next one."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self.one_more = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self.one_more.set()


@pytest.fixture
def told() -> Iterator[Told]:
    logger, handler = logging.getLogger("atlas.server"), Told()
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


class Sign(threading.Event):
    """A sign of life that comes with the given question, not before; each question costs as long as it waits."""

    def __init__(self, clock: list[float], comes_with: int) -> None:
        super().__init__()
        self.clock, self.questions, self.comes_with = clock, 0, comes_with

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.questions += 1
        if self.questions >= self.comes_with:
            self.clock[0] += timeout / 2
            return True
        self.clock[0] += timeout
        return False


view = code("/srv/shop/views.py", "\ndef f(inner):\n    return inner()\n")
other_view = code("/srv/shop/views.py", "\n\n\ndef f(inner):\n    return inner()\n")
async_view = code("/srv/shop/views.py", "\nasync def f(inner):\n    return inner()\n")


class Case:
    """A watchdog whose clock and whose sight are the test's."""

    def __init__(self) -> None:
        self.time = [100.0]
        self.frame: FrameType | None = None
        self.dog = Watchdog(
            None,  # type: ignore[arg-type]  # nobody asks it here
            look=lambda: {} if self.frame is None else {threading.get_ident(): self.frame},
            clock=lambda: self.time[0],
        )

    def sees(self, function: Callable[..., Any] | None, sign_comes_with: int) -> None:
        self.frame = None if function is None else ours(function, here)
        self.dog.wait_for(Sign(self.time, sign_comes_with))


@pytest.fixture
def case() -> Case:
    return Case()


def test_a_loop_that_answers_in_time_is_left_alone(case: Case, told: Told) -> None:
    case.sees(view, sign_comes_with=1)
    assert told.lines == []


def test_it_is_told_when_it_is_over_how_long_it_took(case: Case, told: Told) -> None:
    case.sees(view, sign_comes_with=2)
    (line,) = told.lines
    first, *rest = line.splitlines()
    assert first == (
        "shop.views.f (/srv/shop/views.py:2) held the event loop for 550 ms at /srv/shop/views.py:3; "
        "nobody else was served meanwhile:"
    )
    assert rest[0] == '  File "/srv/shop/views.py", line 3, in f'
    assert rest[-1].startswith('run="thread" on its route moves it to a thread, await_(in_thread(')


def test_what_does_not_end_is_told_while_it_lasts_and_once(case: Case, told: Told) -> None:
    case.sees(view, sign_comes_with=5)
    (line,) = told.lines
    assert "has held the event loop for 1.0 s, and still does, at /srv/shop/views.py:3;" in line


def test_once_for_each_place(case: Case, told: Told) -> None:
    for function in (view, view, other_view, view, other_view):
        case.sees(function, sign_comes_with=2)
    assert [line.split(" ")[1] for line in told.lines] == ["(/srv/shop/views.py:2)", "(/srv/shop/views.py:4)"]


def test_an_async_function_gets_another_advice(case: Case, told: Told) -> None:
    case.sees(lambda inner: step(async_view(inner)), sign_comes_with=2)
    assert told.lines[0].splitlines()[-1] == "await in_thread(function, ...) moves what takes long to a thread."


def test_nobody_is_accused_where_nobody_is_seen(case: Case, told: Told) -> None:
    case.sees(None, sign_comes_with=2)
    assert told.lines == []


def test_it_watches_no_more_once_it_is_closed(case: Case, told: Told) -> None:
    case.dog.close()
    case.sees(view, sign_comes_with=1000)
    assert told.lines == []


def test_it_watches_a_real_loop_from_a_thread(told: Told) -> None:
    looked, ended = threading.Event(), threading.Event()

    def look() -> dict[int, FrameType]:
        frames = sys._current_frames()
        if any(each.f_code is hold.__code__ for each in chain(frames.get(here_is))):
            looked.set()
        return frames

    def hold() -> None:
        assert looked.wait(PATIENCE)

    async def go() -> None:
        dog = Watchdog(asyncio.get_running_loop(), allowed=0.005, look=look)
        dog.start()
        hold()
        while not told.lines:
            await asyncio.sleep(0)
        dog.close()
        dog._thread.join(PATIENCE)
        ended.set()

    here_is = threading.get_ident()
    asyncio.run(go())
    assert ended.is_set()
    assert f".hold ({__file__}" in told.lines[0] or ".hold (tests" in told.lines[0]


def test_it_ends_with_its_loop() -> None:
    async def go() -> Watchdog:
        dog = Watchdog(asyncio.get_running_loop())
        dog.start()
        return dog

    dog = asyncio.run(go())
    dog._thread.join(PATIENCE)
    assert not dog._thread.is_alive()


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("run", ["inline", "greenlet", "async"])
def test_a_server_for_development_names_the_controller(
    serve: Callable[..., Any], told: Told, monkeypatch: pytest.MonkeyPatch, loop: str, run: Any
) -> None:
    monkeypatch.setitem(Watchdog.__init__.__kwdefaults__, "patience", 0.01)
    let_go = threading.Event()

    def hold() -> None:
        assert let_go.wait(PATIENCE)

    def plain(request: Any) -> str:
        hold()
        return "done"

    async def coroutine(request: Any) -> str:
        hold()
        return "done"

    def passing(request: Any, call_next: Any) -> Any:
        return call_next(request)

    route = Route("/", coroutine) if run == "async" else Route("/", plain, run=run)
    server = serve(Application([route], middleware=[passing]), dev=True, loop=loop)
    address = "http://{}:{}/".format(*server.sockets[0].getsockname()[:2])
    answers: list[str] = []
    client = threading.Thread(target=lambda: answers.append(httpx.get(address, timeout=PATIENCE).text))
    client.start()
    assert told.one_more.wait(PATIENCE)
    let_go.set()
    client.join(PATIENCE)
    assert answers == ["done"]
    (line,) = told.lines
    name = "coroutine" if run == "async" else "plain"
    assert line.startswith(f"{__name__}.test_a_server_for_development_names_the_controller.<locals>.{name} (")
    assert "in hold" in line


def test_a_server_has_no_watchdog_unless_it_is_for_development(serve: Callable[..., Any]) -> None:
    serve(Application([]))
    assert [thread for thread in threading.enumerate() if thread.name == "atlas watchdog"] == []
