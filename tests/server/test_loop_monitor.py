"""What is logged about a blocked event loop, when, and how often."""

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import httpx
import jinja2
import pytest

from atlas import Application, Route
from atlas.server.loop_monitor import LoopMonitor
from tests.server.test_blocking import atlas_code, code, here, step, walk_stack

PATIENCE = 10.0


class Warnings(logging.Handler):
    """Collects the warnings of the server; ``received`` is set by the first one."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self.received = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self.received.set()


@pytest.fixture
def warnings() -> Iterator[Warnings]:
    logger, handler = logging.getLogger("atlas.server"), Warnings()
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


class Response(threading.Event):
    """The event of a callback that runs during the given wait; the clock advances by the time of each wait."""

    def __init__(self, clock: list[float], responds_at_wait: int) -> None:
        super().__init__()
        self.clock, self.waits, self.responds_at_wait = clock, 0, responds_at_wait

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits += 1
        if self.waits >= self.responds_at_wait:
            self.clock[0] += timeout / 2
            return True
        self.clock[0] += timeout
        return False


view = code("/srv/shop/views.py", "\ndef f(inner):\n    return inner()\n")
other_view = code("/srv/shop/views.py", "\n\n\ndef f(inner):\n    return inner()\n")
async_view = code("/srv/shop/views.py", "\nasync def f(inner):\n    return inner()\n")


class Case:
    """A monitor with the clock and the frames of the test."""

    def __init__(self) -> None:
        self.time = [100.0]
        self.frame: FrameType | None = None
        self.monitor = LoopMonitor(
            None,  # type: ignore[arg-type]  # the loop is not used
            current_frames=lambda: {} if self.frame is None else {threading.get_ident(): self.frame},
            clock=lambda: self.time[0],
        )

    def check(self, function: Callable[..., Any] | None, responds_at_wait: int) -> None:
        self.frame = None if function is None else atlas_code(function, here)
        self.monitor.check(Response(self.time, responds_at_wait))


@pytest.fixture
def case() -> Case:
    return Case()


def test_a_loop_that_responds_in_time_is_not_logged(case: Case, warnings: Warnings) -> None:
    case.check(view, responds_at_wait=1)
    assert warnings.lines == []


def test_a_call_is_logged_with_its_duration_when_it_has_ended(case: Case, warnings: Warnings) -> None:
    case.check(view, responds_at_wait=2)
    (line,) = warnings.lines
    first, *rest = line.splitlines()
    assert first == (
        "shop.views.f (/srv/shop/views.py:2) blocked the event loop for 550 ms at /srv/shop/views.py:3; "
        "no other request was served meanwhile:"
    )
    assert rest[0] == '  File "/srv/shop/views.py", line 3, in f'
    assert rest[-1].startswith('run="thread" on its route runs it in a thread, await_(in_thread(')


def test_a_call_that_does_not_end_is_logged_once_while_it_blocks(case: Case, warnings: Warnings) -> None:
    case.check(view, responds_at_wait=5)
    (line,) = warnings.lines
    assert "has blocked the event loop for 1.0 s and still does, at /srv/shop/views.py:3;" in line


def test_each_position_is_logged_once(case: Case, warnings: Warnings) -> None:
    for function in (view, view, other_view, view, other_view):
        case.check(function, responds_at_wait=2)
    assert [line.split(" ")[1] for line in warnings.lines] == ["(/srv/shop/views.py:2)", "(/srv/shop/views.py:4)"]


def test_the_advice_for_an_async_function(case: Case, warnings: Warnings) -> None:
    case.check(lambda inner: step(async_view(inner)), responds_at_wait=2)
    assert warnings.lines[0].splitlines()[-1] == "await in_thread(function, ...) runs a blocking call in a thread."


def test_nothing_is_logged_if_no_function_is_found(case: Case, warnings: Warnings) -> None:
    case.check(None, responds_at_wait=2)
    assert warnings.lines == []


def test_nothing_is_logged_after_close(case: Case, warnings: Warnings) -> None:
    case.monitor.close()
    case.check(view, responds_at_wait=1000)
    assert warnings.lines == []


def test_a_blocked_loop_is_detected_by_the_thread(warnings: Warnings) -> None:
    detected, ended = threading.Event(), threading.Event()

    def current_frames() -> dict[int, FrameType]:
        frames = sys._current_frames()
        if any(each.f_code is block.__code__ for each in walk_stack(frames.get(thread))):
            detected.set()
        return frames

    def block() -> None:
        assert detected.wait(PATIENCE)

    async def go() -> None:
        monitor = LoopMonitor(asyncio.get_running_loop(), threshold=0.005, current_frames=current_frames)
        monitor.start()
        block()
        while not warnings.lines:
            await asyncio.sleep(0)
        monitor.close()
        monitor._thread.join(PATIENCE)
        ended.set()

    thread = threading.get_ident()
    asyncio.run(go())
    assert ended.is_set()
    assert f".block ({__file__}" in warnings.lines[0] or ".block (tests" in warnings.lines[0]


def test_the_thread_ends_when_the_loop_is_closed() -> None:
    async def go() -> LoopMonitor:
        monitor = LoopMonitor(asyncio.get_running_loop())
        monitor.start()
        return monitor

    monitor = asyncio.run(go())
    monitor._thread.join(PATIENCE)
    assert not monitor._thread.is_alive()


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("run", ["inline", "greenlet", "async"])
def test_a_server_in_development_mode_logs_the_controller(
    serve: Callable[..., Any], warnings: Warnings, monkeypatch: pytest.MonkeyPatch, loop: str, run: Any
) -> None:
    monkeypatch.setitem(LoopMonitor.__init__.__kwdefaults__, "report_after", 0.01)
    release = threading.Event()

    def block() -> None:
        assert release.wait(PATIENCE)

    def sync(request: Any) -> str:
        block()
        return "done"

    async def coroutine(request: Any) -> str:
        block()
        return "done"

    def passing(request: Any, call_next: Any) -> Any:
        return call_next(request)

    route = Route("/", coroutine) if run == "async" else Route("/", sync, run=run)
    server = serve(Application([route], middleware=[passing]), dev=True, loop=loop)
    address = "http://{}:{}/".format(*server.sockets[0].getsockname()[:2])
    answers: list[str] = []
    client = threading.Thread(target=lambda: answers.append(httpx.get(address, timeout=PATIENCE).text))
    client.start()
    assert warnings.received.wait(PATIENCE)
    release.set()
    client.join(PATIENCE)
    assert answers == ["done"]
    (line,) = warnings.lines
    name = "coroutine" if run == "async" else "sync"
    assert line.startswith(f"{__name__}.test_a_server_in_development_mode_logs_the_controller.<locals>.{name} (")
    assert "in block" in line


def test_a_server_has_a_monitor_only_in_development_mode(serve: Callable[..., Any]) -> None:
    serve(Application([]))
    assert [thread for thread in threading.enumerate() if thread.name == "atlas loop monitor"] == []


def compiling_frame() -> FrameType:
    """The innermost frame of a thread in which Jinja compiles a template."""
    frames: list[FrameType] = []

    class Environment(jinja2.Environment):
        def _parse(self, *arguments: Any) -> Any:
            frames.append(sys._getframe())
            return super()._parse(*arguments)

    Environment().from_string("{{ x }}")
    return frames[0]


def test_the_compilation_of_a_template_is_not_logged(case: Case, warnings: Warnings) -> None:
    case.frame = compiling_frame()
    case.monitor.check(Response(case.time, responds_at_wait=30))
    assert warnings.lines == []


def test_what_blocks_after_a_compilation_is_logged(case: Case, warnings: Warnings) -> None:
    frames = iter([compiling_frame(), atlas_code(view, here)])
    case.monitor._current_frames = lambda: {threading.get_ident(): next(frames)}
    case.monitor.check(Response(case.time, responds_at_wait=3))
    (line,) = warnings.lines
    assert line.startswith("shop.views.f (/srv/shop/views.py:2) blocked the event loop for 550 ms")
