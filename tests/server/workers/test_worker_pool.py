"""The pool of worker processes: its entries of the table, and what it kills."""

from __future__ import annotations

import asyncio
import signal
import socket
from pathlib import Path

from atlas.server.configuration.settings import Settings
from atlas.server.workers.worker_pool import WorkerPool

PATIENCE = 30.0
APP = """
async def app(scope, receive, send):
    raise RuntimeError
"""


def test_workers_have_the_first_entries_of_the_table_that_are_free(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "main.py").write_text(APP)
        with socket.create_server(("127.0.0.1", 0)) as sock:
            settings = Settings(app_dir=str(tmp_path), lifespan="off", access_log=False)
            pool = WorkerPool("main:app", settings, [sock], lambda worker: None)
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGCHLD, pool.reap)
            async with asyncio.timeout(PATIENCE):
                server = await pool.start_fork_server()
                assert server is not None
                first, second = await pool.start(server), await pool.start(server)
                assert first is not None
                assert second is not None
                assert (first.index, second.index, pool.table.used) == (0, 1, 2)
                assert await pool.wait_ready(first)
                first.stop()
                await pool.wait_ended(first, PATIENCE)
                await pool.remove(first)
                assert pool.serving() == [second]
                third = await pool.start(server)
                assert third is not None
                assert (third.index, pool.table.used) == (0, 2)
                pool.stop()
                for worker in (second, third):
                    await worker.ended
                    await pool.remove(worker)
                await pool.close()
            loop.remove_signal_handler(signal.SIGCHLD)

    asyncio.run(main())
