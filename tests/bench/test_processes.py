"""Finding, counting and stopping a server's processes."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path

import pytest

from bench.side_by_side import processes

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

STAT = "4711 (a (strange) name) S 1 4700 4699 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 1 0 999 1 1"


def test_a_name_with_parentheses_does_not_shift_the_fields():
    stat = processes.parse_stat(STAT)
    assert (stat.pid, stat.state, stat.session, stat.ticks) == (4711, "S", 4699, 127)


def test_memory_is_read_in_bytes_and_the_address_range_is_passed_over():
    rollup = "55d0-7ffd ---p 00000000 00:00 0   [rollup]\nRss:      20 kB\nPss:\t 12 kB\nLocked:  0 kB\n"
    sizes = processes.parse_rollup(rollup)
    assert (sizes["Rss"], sizes["Pss"], sizes["Locked"]) == (20480, 12288, 0)


def test_only_the_asked_cores_are_counted_and_idling_is_not():
    text = (
        "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 1 2 4 1000 1000 8 16 32 0 0\ncpu1 100 0 0 5 0 0 0 0 0 0\n"
        "cpu10 7 7 7 7 7 7 7 7 7 7\nintr 5\n"
    )
    assert processes.parse_busy(text, {0}) == 63
    assert processes.parse_busy(text, {0, 1}) == 163


def test_a_free_port_can_be_bound():
    port = processes.free_port()
    assert 0 < port < 65536


@pytest.fixture
def complaints():
    with tempfile.TemporaryFile() as file:
        yield file


LISTEN = """
import os, socket, sys, time
os.fork()
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
server.bind(("127.0.0.1", int(sys.argv[1])))
server.listen()
while True:
    server.accept()
"""


@linux
def test_the_whole_tree_is_found_and_gone_afterwards(complaints):
    port = processes.free_port()
    command = [sys.executable, "-S", "-c", LISTEN, str(port)]
    with processes.running(command, port, core=None, environment={}, complaints=complaints) as server:
        tree = processes.living(server.process.pid)
        assert len(tree) == 2
        assert server.process.pid in tree
        assert server.cpu_seconds() >= 0
        rss, pss = server.memory()
        assert rss >= pss > 0
    assert processes.living(server.process.pid) == []


@linux
def test_the_tree_is_gone_also_when_the_measurement_breaks(complaints):
    port = processes.free_port()
    command = [sys.executable, "-S", "-c", LISTEN, str(port)]
    with (
        pytest.raises(KeyboardInterrupt),
        processes.running(command, port, core=None, environment={}, complaints=complaints) as server,
    ):
        raise KeyboardInterrupt
    assert processes.living(server.process.pid) == []


@linux
def test_a_server_that_ends_is_quoted(complaints):
    command = [sys.executable, "-S", "-c", "import sys; sys.exit('the app is not there')"]
    with (
        pytest.raises(processes.StartFailed, match="status 1: the app is not there"),
        processes.running(command, processes.free_port(), core=None, environment={}, complaints=complaints),
    ):
        pass


def test_the_last_line_of_nothing():
    assert processes.last_line(io.BytesIO()) == "it wrote nothing"
    assert processes.last_line(io.BytesIO(b"one\ntwo\n\n")) == "two"


def test_pinning_needs_a_core(monkeypatch):
    assert processes.pinned(["a", "b"], None) == ["a", "b"]
    monkeypatch.setattr(processes.shutil, "which", lambda name: f"{os.sep}bin{os.sep}{name}")
    assert processes.pinned(["a", "b"], 1) == ["taskset", "--cpu-list", "1", "a", "b"]
    monkeypatch.setattr(processes.shutil, "which", lambda name: None)
    assert processes.pinned(["a", "b"], 1) == ["a", "b"]
