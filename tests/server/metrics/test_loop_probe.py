"""How late an event loop is."""

import asyncio
import time

from atlas.server.metrics.loop_probe import LoopProbe
from atlas.server.metrics.shared_counters import private_counters


def test_a_callback_that_blocks() -> None:
    counters = private_counters()

    async def main() -> None:
        probe = LoopProbe(asyncio.get_running_loop(), counters)
        assert counters.read()["due"] > time.monotonic()
        assert counters.read()["lag"] == 0.0
        time.sleep(0.4)
        assert counters.read()["due"] < time.monotonic()  # which a reader sees while the loop is blocked
        while counters.read()["lag"] == 0.0:
            await asyncio.sleep(0)
        assert counters.read()["lag"] > 0.1
        probe.close()

    asyncio.run(main())
    assert (counters.read()["due"], counters.read()["lag"]) == (0.0, 0.0)


def test_a_delay_is_forgotten(monkeypatch: object) -> None:
    class Loop:
        def call_later(self, seconds: float, callback: object) -> object:
            self.callback = callback
            return self

        def cancel(self) -> None: ...

    loop, counters = Loop(), private_counters()
    probe = LoopProbe(loop, counters)  # type: ignore[arg-type]
    probe._due -= 10.0
    for _ in range(40):
        loop.callback()  # type: ignore[operator]
        assert counters.read()["lag"] > 9
    for _ in range(40):
        loop.callback()  # type: ignore[operator]
    assert counters.read()["lag"] < 9
