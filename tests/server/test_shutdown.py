"""The steps of a shutdown, each with requests that end in it; tests/wire/test_stop.py shows what clients see."""

import asyncio
import logging
from typing import Any

import pytest

from atlas import Server
from atlas._speedups.http.server_state import ServerState
from atlas.server.configuration.settings import Settings
from atlas.server.server_events import ServerEvents
from atlas.server.shutdown import Shutdown

PATIENCE = 10.0


async def stop_during_a_request(app: Any, **settings: Any) -> Server:
    """Stop a server while ``app``, which sets its attribute ``began``, works on a request; return when it has ended."""
    server = Server(app, port=0, lifespan="off", access_log=False, timeout_drain=0, **settings)
    serving = asyncio.create_task(server.serve())
    await asyncio.wait_for(server.wait_started(), PATIENCE)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    await asyncio.wait_for(app.began.wait(), PATIENCE)
    server.stop()
    await asyncio.wait_for(serving, PATIENCE)
    writer.close()
    return server


class Waiting:
    """An application that waits, and takes note of how it ended."""

    def __init__(self, *, told: bool) -> None:
        self.began = asyncio.Event()
        self.told = told
        self.ended = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        self.began.set()
        try:
            await (receive() if self.told else asyncio.Event().wait())
            self.ended = "told"
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise


@pytest.mark.parametrize(("told", "ended"), [(True, "told"), (False, "cancelled")])
def test_a_request_is_told_and_then_cancelled(told: bool, ended: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> Waiting:
        app = Waiting(told=told)
        await stop_during_a_request(app, timeout_graceful_shutdown=0.05)
        return app

    with caplog.at_level(logging.WARNING, "atlas.server"):
        assert asyncio.run(main()).ended == ended
    assert "1 requests are still running after 0.05 seconds (--timeout-graceful-shutdown)" in caplog.text


def test_without_connections_nothing_is_waited_for() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        settings = Settings()
        state = ServerState(loop, settings, ServerEvents())
        gateway = Server(Waiting(told=True))._application.new_gateway(loop)
        began = loop.time()
        await Shutdown(state, gateway, asyncio.Event()).run(PATIENCE, PATIENCE)
        assert loop.time() - began < PATIENCE / 2
        state.close()

    asyncio.run(main())
