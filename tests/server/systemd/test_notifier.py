"""What systemd is told: by a notifier, and by a server in a process."""

import asyncio
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from atlas.server.systemd.notifier import Notifier
from tests.server.systemd.service_manager import PATIENCE, ServiceManager, service_manager

CERTIFICATE = Path(__file__).parents[2] / "web" / "transports" / "site.test.pem"
APP = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})
"""


@pytest.fixture(params=["path", pytest.param("@", marks=pytest.mark.skipif(sys.platform != "linux", reason="Linux"))])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceManager]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@atlas-test-{os.getpid()}"
    with service_manager(address) as found:
        yield found


def test_messages(manager: ServiceManager) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": manager.address})
    notifier.ready("serving on\nREADY=0")
    assert manager.message() == {"READY": "1", "MAINPID": str(os.getpid()), "STATUS": "serving on READY=0"}
    before = time.monotonic_ns() // 1000
    notifier.reloading()
    message = manager.message()
    assert before <= int(message.pop("MONOTONIC_USEC")) <= time.monotonic_ns() // 1000
    assert message == {"RELOADING": "1", "STATUS": "reloading"}
    notifier.ready()
    assert manager.message()["STATUS"] == "serving on READY=0"
    notifier.stopping()
    assert manager.message()["STOPPING"] == "1"


def test_signs_of_life_at_half_of_the_time(manager: ServiceManager) -> None:
    async def main() -> float:
        notifier = Notifier(manager.address, watchdog=0.1)
        began = time.monotonic()
        notifier.start_watchdog()
        for _ in range(3):
            assert await asyncio.to_thread(manager.message) == {"WATCHDOG": "1"}
        took = time.monotonic() - began
        notifier.close()
        return took

    assert asyncio.run(main()) >= 0.1
    assert manager.is_silent_for(0.15)


def test_no_sign_where_nothing_lives(manager: ServiceManager, caplog: pytest.LogCaptureFixture) -> None:
    alive = [True, False, False, True]

    async def main() -> None:
        notifier = Notifier(manager.address, watchdog=0.02)
        asked = asyncio.Event()

        def is_alive() -> bool:
            if len(alive) == 1:
                asked.set()
            return alive.pop(0) if alive else False

        notifier.start_watchdog(is_alive)
        await asyncio.wait_for(asked.wait(), PATIENCE)
        notifier.close()

    asyncio.run(main())
    assert [manager.message(), manager.message()] == [{"WATCHDOG": "1"}] * 2
    assert manager.is_silent_for(0.01)
    assert caplog.text.count("the watchdog of systemd is not fed") == 1


@pytest.mark.parametrize(
    ("environ", "watchdog"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "x"}, None),
    ],
)
def test_the_time_of_the_watchdog(environ: dict[str, str], watchdog: float | None) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": "/run/systemd/notify", **environ})
    assert notifier._watchdog == watchdog


def test_without_a_service_manager_nothing_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        notifier = Notifier.from_environment({"WATCHDOG_USEC": "1000"})
        notifier.ready("a")
        notifier.reloading()
        notifier.start_watchdog()
        notifier.stopping()
        notifier.close()

    with caplog.at_level(logging.DEBUG, "atlas.server"):
        asyncio.run(main())
    assert not caplog.messages


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("/nowhere/to/be/found", "systemd cannot be told READY=1: No such file or directory"),
        ("vsock:2:1", "NOTIFY_SOCKET: expected a path or '@' and a name, got 'vsock:2:1': nothing is sent there"),
    ],
)
def test_a_manager_that_is_not_there_is_a_line(address: str, line: str, caplog: pytest.LogCaptureFixture) -> None:
    Notifier.from_environment({"NOTIFY_SOCKET": address}).ready("a")
    assert caplog.messages == [line]


# ------------------------------------------------------------------------------------------------------- processes


@contextmanager
def service(folder: Path, manager: ServiceManager, *flags: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    (folder / "main.py").write_text(APP)
    command = [sys.executable, "-m", "atlas", "serve", "main:app", "--port", "0", "--lifespan", "off", *flags]
    environment = {**os.environ, "NOTIFY_SOCKET": manager.address, **environ}
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)


def test_a_server_is_ready_lives_and_stops(manager: ServiceManager, tmp_path: Path) -> None:
    with service(tmp_path, manager, WATCHDOG_USEC="100000") as process:
        ready = manager.message()
        assert (ready["READY"], ready["MAINPID"]) == ("1", str(process.pid))
        assert ready["STATUS"].startswith("serving on http://127.0.0.1:")
        assert [manager.message() for _ in range(2)] == [{"WATCHDOG": "1"}] * 2
        process.send_signal(signal.SIGTERM)
        assert manager.message_with("STOPPING")["STOPPING"] == "1"
        assert process.wait(PATIENCE) == 0


def test_a_reload_of_certificates_begins_and_ends(tmp_path: Path) -> None:
    with (
        service_manager(str(tmp_path / "notify")) as manager,
        service(tmp_path, manager, "--ssl-certfile", str(CERTIFICATE)) as process,
    ):
        ready = manager.message()
        assert ready["STATUS"].startswith("serving on https://127.0.0.1:")
        process.send_signal(signal.SIGHUP)
        assert manager.message()["RELOADING"] == "1"
        assert manager.message() == ready


def test_a_reload_does_not_end_a_server_without_certificates(tmp_path: Path) -> None:
    with service_manager(str(tmp_path / "notify")) as manager, service(tmp_path, manager) as process:
        ready = manager.message()
        process.send_signal(signal.SIGHUP)
        assert manager.message()["RELOADING"] == "1"
        assert manager.message() == ready
        assert process.stderr is not None
        assert any("SIGHUP has no effect" in line for line in iter(process.stderr.readline, ""))
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def test_a_server_with_reload_is_ready_lives_and_stops(tmp_path: Path) -> None:
    with (
        service_manager(str(tmp_path / "notify")) as manager,
        service(tmp_path, manager, "--reload", WATCHDOG_USEC="100000") as process,
    ):
        ready = manager.message()
        assert (ready["READY"], ready["MAINPID"]) == ("1", str(process.pid))
        assert ready["STATUS"].startswith("serving on http://127.0.0.1:")
        assert manager.message() == {"WATCHDOG": "1"}
        process.send_signal(signal.SIGTERM)
        assert manager.message_with("STOPPING")["STOPPING"] == "1"
        assert process.wait(PATIENCE) == 0


# --------------------------------------------------------------------------------------------------------- workers


def ready_workers(process: subprocess.Popen[str], number: int) -> list[int]:
    """The process IDs of so many workers, from the log."""
    assert process.stderr is not None
    found: list[int] = []
    for line in process.stderr:
        if match := re.search(r"worker (\d+) is ready", line):
            found.append(int(match[1]))
            if len(found) == number:
                return found
    raise AssertionError("the server has ended")


def test_the_parent_of_workers_is_ready_reloads_and_stops(manager: ServiceManager, tmp_path: Path) -> None:
    with service(tmp_path, manager, "--workers", "2") as process:
        ready = manager.message()
        assert (ready["READY"], ready["MAINPID"]) == ("1", str(process.pid))
        assert re.fullmatch(r"serving on http://127\.0\.0\.1:\d+", ready["STATUS"])
        ready_workers(process, 2)
        process.send_signal(signal.SIGHUP)
        assert manager.message()["RELOADING"] == "1"
        assert manager.message() == ready
        process.send_signal(signal.SIGTERM)
        assert manager.message()["STOPPING"] == "1"
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0


def test_the_parent_gives_signs_of_life_only_while_a_worker_lives(tmp_path: Path) -> None:
    with (
        service_manager(str(tmp_path / "notify")) as manager,
        service(tmp_path, manager, "--workers", "2", WATCHDOG_USEC="200000") as process,
    ):
        assert manager.message()["READY"] == "1"
        workers = ready_workers(process, 2)
        assert manager.message() == {"WATCHDOG": "1"}
        os.kill(workers[0], signal.SIGSTOP)  # the other one lives
        for _ in range(20):
            assert manager.message() == {"WATCHDOG": "1"}
        os.kill(workers[1], signal.SIGSTOP)
        while not manager.is_silent_for(0.5):
            pass  # the last heartbeat counts for two seconds
        for worker in workers:
            os.kill(worker, signal.SIGCONT)
        assert manager.message() == {"WATCHDOG": "1"}
