"""A fork server as its parent has it; tests/server/workers/test_fork_server.py runs it below ``atlas serve``."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from atlas.server.configuration.settings import Settings
from atlas.server.workers.fork_server_process import ForkServer
from atlas.server.workers.worker import WorkerTask
from atlas.server.workers.worker_table import WorkerTable

PATIENCE = 30.0
APP = """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
"""


async def reap(server: ForkServer) -> int:
    _, status = await asyncio.to_thread(os.waitpid, server.pid, 0)
    server.reaped(os.waitstatus_to_exitcode(status))
    await server.release()
    return os.waitstatus_to_exitcode(status)


@asynccontextmanager
async def started(folder: Path, source: str, sock: socket.socket) -> AsyncIterator[ForkServer]:
    (folder / "main.py").write_text(source)
    table, table_fd = WorkerTable.create(2)
    settings = Settings(app_dir=str(folder), lifespan="off", access_log=False, preload=True)
    try:
        async with asyncio.timeout(PATIENCE):
            yield ForkServer(WorkerTask("main:app", settings, (sock.fileno(),), table_fd, 2, 0))
    finally:
        table.close()
        os.close(table_fd)


async def get(sock: socket.socket) -> bytes:
    reader, writer = await asyncio.open_connection(*sock.getsockname())
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer


def test_it_forks_workers_and_ends_after_the_last_one(tmp_path: Path) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            async with started(tmp_path, APP, sock) as server:
                assert await server.ready
                workers = await asyncio.gather(server.fork(0), server.fork(1))
                for number, worker in enumerate(workers):
                    assert worker is not None
                    assert await worker.ready
                    assert worker.index == number
                    assert os.getpgid(worker.pid) == worker.pid
                assert (await get(sock)).endswith(b"hello")
                server.close()
                first, second = (worker for worker in workers if worker is not None)
                first.stop()
                assert await first.ended == 0
                second.signal(signal.SIGKILL)
                assert await second.ended == -signal.SIGKILL
                assert await reap(server) == 0
                assert server.is_gone
                assert await server.fork(0) is None
                await first.close()
                await second.close()

    asyncio.run(main())


def test_an_application_that_cannot_be_imported(tmp_path: Path, capfd: object) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            async with started(tmp_path, "import none_such", sock) as server:
                assert not await server.ready
                assert await server.fork(0) is None
                assert await reap(server) == 1

    asyncio.run(main())


def test_the_end_of_a_worker_is_noticed_without_its_fork_server(tmp_path: Path) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            async with started(tmp_path, APP, sock) as server:
                assert await server.ready
                worker = await server.fork(0)
                assert worker is not None
                assert await worker.ready
                server.signal(signal.SIGKILL)
                assert await reap(server) == -signal.SIGKILL
                assert not worker.ended.done()
                worker.stop()
                assert await worker.ended is None
                assert worker.describe_end() == "has ended"
                await worker.close()

    asyncio.run(main())
