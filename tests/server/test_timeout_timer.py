"""The timer of time-outs: scheduled while connections are open."""

from typing import Any

import pytest

from atlas.server.configuration.settings import Settings
from atlas.server.timeout_timer import TimeoutTimer, check_interval


class Loop:
    """An event loop whose timers run when the test says so."""

    def __init__(self) -> None:
        self.scheduled: list[tuple[float, Any]] = []

    def call_later(self, delay: float, callback: Any) -> Any:
        entry = (delay, callback)
        self.scheduled.append(entry)

        class Timer:
            def cancel(inner) -> None:  # noqa: N805 - self is the loop
                self.scheduled.remove(entry)

        return Timer()

    def tick(self) -> None:
        self.scheduled.pop()[1]()


class ServerState:
    def __init__(self) -> None:
        self.open = 1
        self.checked = 0

    def check_timeouts(self) -> None:
        self.checked += 1


def make_timer() -> tuple[Any, TimeoutTimer, ServerState]:
    loop: Any = Loop()
    timer = TimeoutTimer(loop, Settings())
    state = ServerState()
    timer.watch(state)
    return loop, timer, state


def test_it_checks_as_long_as_a_connection_is_open() -> None:
    loop, timer, state = make_timer()
    assert loop.scheduled == []
    timer.start()
    timer.start()
    assert len(loop.scheduled) == 1
    loop.tick()
    loop.tick()
    assert state.checked == 2
    state.open = 0
    loop.tick()
    assert (state.checked, loop.scheduled) == (2, [])
    state.open = 1
    timer.start()
    loop.tick()
    assert state.checked == 3


def test_close_cancels_the_timer() -> None:
    loop, timer, state = make_timer()
    timer.start()
    timer.close()
    timer.close()
    assert (state.checked, loop.scheduled) == (0, [])


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        (Settings(), 1.0),
        (Settings(timeout_keep_alive=0.4), 0.1),
        (Settings(timeout_write=0.001), 0.02),
        (Settings(timeout_keep_alive=0), 0.25),
    ],
)
def test_a_short_timeout_is_checked_more_often(settings: Settings, seconds: float) -> None:
    assert check_interval(settings) == pytest.approx(seconds)
