"""Daemon threads for blocking functions, and the limit of how many run at a time."""

import asyncio
import logging
import os
import threading

import pytest

from atlas.gateway import worker_threads as module
from atlas.gateway.threads import ThreadPool
from atlas.gateway.worker_threads import Job, Limits, WorkerThreads

PATIENCE = 10.0


def test_a_job_begins_or_is_cancelled() -> None:
    called: list[int] = []
    job = Job(called.append, (1,))
    assert job.cancel()
    job.run()
    assert called == []
    other = Job(called.append, (2,))
    other.run()
    assert not other.cancel()
    assert called == [2]


def test_an_idle_thread_is_used_again_and_ends_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0.05)
    threads, used = WorkerThreads("test worker"), []

    def work(done: threading.Event) -> None:
        used.append(threading.current_thread())
        done.set()

    for _ in range(3):
        done = threading.Event()
        threads.submit(work, done)
        assert done.wait(PATIENCE)
        while threads._idle == 0 and used[-1].is_alive():
            pass
    for thread in used:
        assert thread.daemon
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert threads._idle == 0


def test_each_job_at_a_time_has_a_thread() -> None:
    threads, together = WorkerThreads("test worker"), threading.Barrier(6)
    for _ in range(5):
        threads.submit(together.wait, PATIENCE)
    together.wait(PATIENCE)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_a_forked_child_has_threads_of_its_own() -> None:
    threads, done = WorkerThreads("test worker"), threading.Event()
    threads.submit(done.set)
    assert done.wait(PATIENCE)
    while threads._idle == 0:
        pass
    if (pid := os.fork()) == 0:
        child_done = threading.Event()
        threads.submit(child_done.set)
        os._exit(0 if child_done.wait(PATIENCE) else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_limit_belongs_to_a_loop_and_can_be_changed() -> None:
    limits = Limits(2, "%d")

    async def totals() -> tuple[int, int]:
        limiter = limits.of(asyncio.get_running_loop())
        before = limiter.total_tokens
        limiter.resize(5)
        return before, limits.of(asyncio.get_running_loop()).available_tokens

    assert asyncio.run(totals()) == asyncio.run(totals()) == (2, 5)


def test_a_full_pool_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    pool = ThreadPool(purpose="mail", flag="--limit-mail")

    async def main() -> None:
        pool.set_limit(asyncio.get_running_loop(), 1)
        let_go = threading.Event()
        calls = [asyncio.ensure_future(pool.run(let_go.wait, PATIENCE)) for _ in range(4)]
        await asyncio.sleep(0)
        let_go.set()
        await asyncio.gather(*calls)

    with caplog.at_level(logging.WARNING, "atlas.server"):
        asyncio.run(main())
    assert caplog.messages == ["all 1 threads for mail are in use: further ones wait (--limit-mail)"]
