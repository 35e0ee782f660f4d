"""``run()``: signal handlers, the import of an application, and where it cannot be called."""

import asyncio
import gc
import logging
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from atlas.errors import StartupError
from atlas.server.run import run


async def hello(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def test_run_installs_signal_handlers_and_puts_back_what_was_there() -> None:
    def mine(*_: object) -> None:
        """A handler of the program's own."""

    class Ending:
        """Sends its own process a signal as soon as it is up: nothing can be lost, for run() is listening by then."""

        def __init__(self) -> None:
            self.events: list[str] = []

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "lifespan.startup.complete"})
            os.kill(os.getpid(), signal.SIGTERM)
            self.events.append((await receive())["type"])
            await send({"type": "lifespan.shutdown.complete"})

    app = Ending()
    before = signal.signal(signal.SIGTERM, mine)
    try:
        run(app, port=0, log_level="critical")
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)
    assert app.events == ["lifespan.shutdown"]


def test_run_finds_an_application_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(StartupError, match="there is no module 'nowhere_to_be_found'"):
        run("nowhere_to_be_found:app", app_dir=str(tmp_path), log_level="critical")


def test_run_in_a_running_loop_says_what_to_write(recwarn: pytest.WarningsRecorder) -> None:
    async def cell() -> None:
        with pytest.raises(RuntimeError, match=r"running event loop.*await atlas\.Server\(app, \.\.\.\)\.serve\(\)"):
            run(hello, port=0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    handlers = logging.getLogger("atlas").handlers[:]
    asyncio.run(cell())
    gc.collect()
    assert not recwarn
    assert logging.getLogger("atlas").handlers == handlers
