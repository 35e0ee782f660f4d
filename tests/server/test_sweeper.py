"""The one timer: there while there are connections, gone when there are none."""

from typing import Any

import pytest

from atlas.server.settings import Settings
from atlas.server.sweeper import Sweeper, interval


class Loop:
    """A loop that keeps its one timer until the test runs it."""

    def __init__(self) -> None:
        self.armed: list[tuple[float, Any]] = []

    def call_later(self, delay: float, callback: Any) -> Any:
        entry = (delay, callback)
        self.armed.append(entry)

        class Timer:
            def cancel(inner) -> None:  # noqa: N805 - self is the loop here
                self.armed.remove(entry)

        return Timer()

    def tick(self) -> None:
        self.armed.pop()[1]()


class ServerState:
    def __init__(self) -> None:
        self.open = 1
        self.swept = 0

    def sweep(self) -> None:
        self.swept += 1


def swept() -> tuple[Any, Sweeper, ServerState]:
    loop: Any = Loop()
    sweeper = Sweeper(loop, Settings())
    worker = ServerState()
    sweeper.watch(worker)
    return loop, sweeper, worker


def test_it_sweeps_as_long_as_a_connection_is_open() -> None:
    loop, sweeper, worker = swept()
    assert loop.armed == []
    sweeper.wake()
    sweeper.wake()
    assert len(loop.armed) == 1
    loop.tick()
    loop.tick()
    assert worker.swept == 2
    worker.open = 0
    loop.tick()
    assert (worker.swept, loop.armed) == (2, [])
    worker.open = 1
    sweeper.wake()
    loop.tick()
    assert worker.swept == 3


def test_closed_it_is_silent() -> None:
    loop, sweeper, worker = swept()
    sweeper.wake()
    sweeper.close()
    sweeper.close()
    assert (worker.swept, loop.armed) == (0, [])


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        (Settings(), 1.0),
        (Settings(timeout_keep_alive=0.4), 0.1),
        (Settings(timeout_write=0.001), 0.02),
        (Settings(timeout_keep_alive=0), 0.25),
    ],
)
def test_a_short_time_out_is_looked_at_more_often(settings: Settings, seconds: float) -> None:
    assert interval(settings) == pytest.approx(seconds)
