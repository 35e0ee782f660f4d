"""Processes that an application forks: none of what they inherit acts on the server, its sockets or its signals."""

import asyncio
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from atlas.server.forks import ForkGuard, address_of, release_sockets, runs_in_child

PATIENCE = 30.0

APP = """
import asyncio, multiprocessing, os, signal, sys, time
import anyio.from_thread, anyio.to_thread
from atlas import Application, Route, await_, in_thread

fork = multiprocessing.get_context("fork")


def square(number):
    return number * number


def pool(request):
    with fork.Pool(2) as workers:
        return str(workers.map(square, [1, 2, 3]))


async def pool_in_async(request):
    return pool(request)


def ended_at_once(request):
    child = fork.Process(target=time.sleep, args=(60,))
    child.start()
    child.terminate()  # most of the time before the child has run an instruction
    child.join()
    return str(child.exitcode)


def lives_on(request):
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
        os._exit(0)
    return str(pid)


loops = []


def outcome_in_child(function):
    def report():
        try:
            queue.put(function())
        except RuntimeError as error:
            queue.put(str(error))

    queue = fork.SimpleQueue()
    child = fork.Process(target=report)
    child.start()
    child.join()
    return queue.get()


def wait():
    await_(asyncio.sleep(0))


def call_the_loop():
    return asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loops[0]).result()


def call_by_anyio():
    return anyio.from_thread.run(asyncio.sleep, 0)


async def use_threads():
    return [await asyncio.to_thread(str, 1), await anyio.to_thread.run_sync(str, 2), await in_thread(str, 3)]


def waits_in_child(request):
    return outcome_in_child(wait)


def calls_the_loop(request):
    return outcome_in_child(call_the_loop)


def calls_by_anyio(request):
    return outcome_in_child(call_by_anyio)


async def calls_by_anyio_thread(request):
    return await anyio.to_thread.run_sync(outcome_in_child, call_by_anyio)


def runs_a_loop(request):
    return str(outcome_in_child(lambda: asyncio.run(use_threads())))


def fork_and_return():
    pid = os.fork()
    if pid == 0:
        return "from the child"
    _, status = os.waitpid(pid, 0)
    return f"the child has ended with {os.waitstatus_to_exitcode(status)}"


def fork_and_exit(code=5):
    pid = os.fork()
    if pid == 0:
        sys.exit(code)
    _, status = os.waitpid(pid, 0)
    return f"the child has ended with {os.waitstatus_to_exitcode(status)}"


def returns_twice(request):
    return fork_and_return()


async def returns_twice_in_async(request):
    return fork_and_return()


async def returns_twice_in_a_thread(request):
    return await asyncio.to_thread(fork_and_return)


async def returns_twice_in_anyio(request):
    return await anyio.to_thread.run_sync(fork_and_return)


async def waits_on(request):
    pid = os.fork()
    if pid == 0:
        await asyncio.sleep(0)
        os._exit(77)
    _, status = os.waitpid(pid, 0)
    return f"the child has ended with {os.waitstatus_to_exitcode(status)}"


def exits(request):
    return fork_and_exit()


async def exits_in_async(request):
    return fork_and_exit(None)


async def exits_in_a_thread(request):
    return await asyncio.to_thread(fork_and_exit)


async def start(app):
    loops.append(asyncio.get_running_loop())


app = Application([
    Route("/pool", pool), Route("/thread-pool", pool, run="thread"), Route("/async-pool", pool_in_async),
    Route("/at-once", ended_at_once), Route("/thread-at-once", ended_at_once, run="thread"),
    Route("/lives-on", lives_on),
    Route("/waits", waits_in_child), Route("/thread-waits", waits_in_child, run="thread"), Route("/loop", runs_a_loop),
    Route("/calls", calls_the_loop), Route("/thread-calls", calls_the_loop, run="thread"),
    Route("/thread-anyio", calls_by_anyio, run="thread"), Route("/anyio-thread", calls_by_anyio_thread),
    Route("/twice", returns_twice), Route("/thread-twice", returns_twice, run="thread"),
    Route("/inline-twice", returns_twice, run="inline"), Route("/async-twice", returns_twice_in_async),
    Route("/to-thread-twice", returns_twice_in_a_thread), Route("/anyio-twice", returns_twice_in_anyio),
    Route("/waits-on", waits_on), Route("/exits", exits), Route("/thread-exits", exits, run="thread"),
    Route("/async-exits", exits_in_async), Route("/to-thread-exits", exits_in_a_thread),
])
app.on_startup(start)
"""


@contextmanager
def served(folder: Path, *flags: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process of a server, and the line that says where it listens."""
    (folder / "forking.py").write_text(APP)
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        [sys.executable, "-m", "atlas", "serve", "forking:app", "--no-access-log", *flags],
        cwd=folder,
        env=environ,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        yield process, process.stderr.readline()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def port_of(line: str) -> int:
    found = re.search(r"127\.0\.0\.1:(\d+)", line)
    assert found, line
    return int(found[1])


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server that goes on through all tests."""
    with served(tmp_path_factory.mktemp("forks"), "--port", "0", "--loop", request.param) as (process, line):
        yield port_of(line)
        assert process.poll() is None


def get(port: int, path: str) -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["/pool", "/thread-pool", "/async-pool"])
def test_a_pool_that_ends_its_workers_leaves_the_server_running(server: int, path: str) -> None:
    for _ in range(3):
        assert get(server, path) == "[1, 4, 9]"


@pytest.mark.parametrize("path", ["/at-once", "/thread-at-once"])
def test_a_child_that_is_ended_before_it_runs_ends_by_the_signal(server: int, path: str) -> None:
    for _ in range(5):
        assert get(server, path) == str(-signal.SIGTERM)


@pytest.mark.parametrize("path", ["/waits", "/thread-waits"])
def test_waiting_in_a_child_is_an_error(server: int, path: str) -> None:
    assert "where it cannot wait" in get(server, path)


@pytest.mark.parametrize("path", ["/calls", "/thread-calls", "/thread-anyio", "/anyio-thread"])
def test_what_a_child_calls_in_the_loop_of_its_parent_is_an_error(server: int, path: str) -> None:
    assert "the event loop belongs to its parent" in get(server, path)


def test_a_child_may_run_a_loop_of_its_own(server: int) -> None:
    assert get(server, "/loop") == "['1', '2', '3']"


@pytest.mark.parametrize("path", ["/twice", "/inline-twice", "/async-twice", "/waits-on"])
def test_a_child_that_returns_to_the_event_loop_ends(server: int, path: str) -> None:
    assert get(server, path) == "the child has ended with 1"
    assert get(server, "/pool") == "[1, 4, 9]"


@pytest.mark.parametrize("path", ["/thread-twice", "/to-thread-twice"])
def test_a_child_that_returns_to_a_thread_ends(server: int, path: str) -> None:
    assert get(server, path) == "the child has ended with 1"


def test_a_child_that_returns_to_a_thread_of_anyio_ends(server: int) -> None:
    assert get(server, "/anyio-twice") == "the child has ended with 0"  # its thread ends by an exception


@pytest.mark.parametrize(
    ("path", "status"), [("/exits", 5), ("/async-exits", 0), ("/thread-exits", 5), ("/to-thread-exits", 5)]
)
def test_a_child_that_exits_has_its_status(server: int, path: str, status: int) -> None:
    assert get(server, path) == f"the child has ended with {status}"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_signals_reach_the_server_after_a_child_has_returned_to_the_loop(tmp_path: Path, loop: str) -> None:
    with served(tmp_path, "--port", "0", "--loop", loop) as (process, line):
        assert get(port_of(line), "/twice").startswith("the child has ended with ")
        process.terminate()
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_connections_and_port_are_free_of_a_child_that_lives_on(tmp_path: Path, loop: str) -> None:
    with served(tmp_path, "--port", "0", "--loop", loop) as (process, line):
        address = ("127.0.0.1", port_of(line))
        with socket.create_connection(address, PATIENCE) as client:
            client.sendall(b"GET /lives-on HTTP/1.0\r\n\r\n")
            child = int(client.makefile("rb").read().rpartition(b"\r\n\r\n")[2])  # the end of the connection is seen
        process.terminate()
        process.wait(PATIENCE)
        os.kill(child, 0)
        socket.create_server(address, reuse_port=False).close()


def test_a_child_does_not_remove_the_file_of_a_unix_socket(tmp_path: Path) -> None:
    with served(tmp_path, "--uds", "atlas.sock"), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(str(tmp_path / "atlas.sock"))
        client.sendall(b"GET /twice HTTP/1.0\r\n\r\n")
        assert b"the child has ended with" in client.makefile("rb").read()
        assert (tmp_path / "atlas.sock").exists()


# ---------------------------------------------------------------------------------------------------------- in parts


def in_child(function: Any) -> int:
    child = multiprocessing.get_context("fork").Process(target=function)
    child.start()
    child.join(PATIENCE)
    assert child.exitcode is not None
    return child.exitcode


def test_a_guard_is_called_in_children_until_it_is_closed() -> None:
    called: list[int] = []
    guard = ForkGuard(lambda: called.append(os.getpid()))
    assert in_child(lambda: sys.exit(len(called))) == 1
    guard.close()
    assert in_child(lambda: sys.exit(len(called))) == 0
    assert called == []


def test_a_guard_knows_whether_the_loop_runs_where_the_process_forked() -> None:
    async def main() -> list[int]:
        guard = ForkGuard(lambda: os._exit(10 + runs_in_child(loop)))
        try:
            return [in_child(lambda: None), await asyncio.to_thread(in_child, lambda: None)]
        finally:
            guard.close()

    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        assert runner.run(main()) == [11, 10]


def test_signals_are_blocked_until_the_guards_were_called() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    seen: list[set[Any]] = []
    guard = ForkGuard(lambda: seen.append(signal.pthread_sigmask(signal.SIG_BLOCK, ())))

    def check() -> None:
        sys.exit(signal.SIGTERM in seen[0] and signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before)

    assert in_child(check) == 1
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    guard.close()


def test_only_the_sockets_of_an_address_are_released() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_server(("127.0.0.1", 0)) as other:
        client = socket.create_connection(listening.getsockname())
        accepted, _ = listening.accept()

        def check() -> None:
            release_sockets([address_of(listening)])
            kinds = [os.readlink(f"/proc/self/fd/{each.fileno()}") for each in (listening, accepted, other, client)]
            sys.exit(7 if [kind == os.devnull for kind in kinds] == [True, True, False, False] else 1)

        if os.path.isdir("/proc/self/fd"):
            assert in_child(check) == 7
        accepted.close()
        client.close()
