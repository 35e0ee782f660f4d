"""Counters that another process reads."""

import mmap
import os

import pytest

from atlas.server.metrics.shared_counters import SIZE, clear_counters, create_file, open_counters, private_counters


def test_another_process_counts() -> None:
    fd = create_file(3)
    counters, others = open_counters(fd, 1), open_counters(fd, 2)
    child = os.fork()
    if child == 0:
        mine = open_counters(fd, 1)
        mine.begin(os.getpid())
        mine.add_refusal("limit")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    os.close(fd)
    assert counters.read()["pid"] == child
    assert counters.read()["refused"] == {"limit": 1}
    assert others.read()["pid"] == 0


@pytest.mark.parametrize("can_remove", [True, False])
def test_counters_that_are_cleared(monkeypatch: pytest.MonkeyPatch, can_remove: bool) -> None:
    if not can_remove:
        monkeypatch.delattr(mmap, "MADV_REMOVE", raising=False)
    fd = create_file(2)
    for index in range(2):
        open_counters(fd, index).begin(1)
    clear_counters(fd, 1)
    assert open_counters(fd, 0).read()["pid"] == 1
    assert os.pread(fd, SIZE, SIZE) == bytes(SIZE)
    os.close(fd)


def test_private_counters() -> None:
    counters = private_counters()
    counters.begin(1)
    assert counters.read()["pid"] == 1
