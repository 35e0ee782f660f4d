"""A worker process as its parent has it; tests/server/workers/test_supervisor.py runs several."""

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from atlas.server.configuration.settings import Settings
from atlas.server.workers.worker import WorkerTask
from atlas.server.workers.worker_process import WorkerProcess, WorkerState
from atlas.server.workers.worker_table import WorkerTable

PATIENCE = 30.0
APP = """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
"""


async def start(folder: Path, source: str, sock: socket.socket) -> WorkerProcess:
    (folder / "main.py").write_text(source)
    table, table_fd = WorkerTable.create(1)
    settings = Settings(app_dir=str(folder), lifespan="off", access_log=False)
    try:
        return await WorkerProcess.start(WorkerTask("main:app", settings, (sock.fileno(),), table_fd, 1, 0))
    finally:
        table.close()
        os.close(table_fd)


async def get(sock: socket.socket) -> bytes:
    reader, writer = await asyncio.open_connection(*sock.getsockname())
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    async with asyncio.timeout(PATIENCE):
        answer = await reader.read()
    writer.close()
    return answer


def test_a_worker_serves_and_stops(tmp_path: Path) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            worker = await start(tmp_path, APP, sock)
            async with asyncio.timeout(PATIENCE):
                assert worker.state is WorkerState.STARTING
                assert await worker.ready
                assert worker.state is WorkerState.READY
                assert (await get(sock)).endswith(b"hello")
                assert os.getpgid(worker.pid) == worker.pid
                worker.stop()
                assert await worker.ended == 0
            assert worker.describe_end() == "ended with status 0"
            worker.stop()  # it has ended: nothing happens
            await worker.send(b"late\n")
            await worker.close()

    asyncio.run(main())


@pytest.mark.parametrize("source", ["import none_such", "raise SystemExit(5)"])
def test_a_worker_that_never_serves(tmp_path: Path, source: str, capfd: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            worker = await start(tmp_path, source, sock)
            async with asyncio.timeout(PATIENCE):
                assert not await worker.ready
                await worker.ended
            assert worker.describe_end() == "ended with status 1"
            assert "Error:" in capfd.readouterr().err
            await worker.close()

    asyncio.run(main())


def test_a_worker_that_is_killed(tmp_path: Path) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            worker = await start(tmp_path, APP, sock)
            async with asyncio.timeout(PATIENCE):
                await worker.ready
                worker.signal(signal.SIGKILL)
                await worker.ended
            assert worker.describe_end() == "was killed by SIGKILL"
            await worker.close()

    asyncio.run(main())


def test_the_end_by_a_signal_without_a_name() -> None:
    async def describe() -> str:
        control, other = socket.socketpair()
        ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        ended.set_result(-(signal.SIGRTMIN + 6))
        control.setblocking(False)
        worker = WorkerProcess(os.getpid(), ended, control)
        with other:
            await worker.close()
        return worker.describe_end()

    assert asyncio.run(describe()) == f"was killed by signal {signal.SIGRTMIN + 6}"
