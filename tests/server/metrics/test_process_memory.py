"""The memory of a process."""

import os
import sys
from pathlib import Path

import pytest

from atlas.server.metrics.process_memory import memory_of


@pytest.mark.skipif(sys.platform != "linux", reason="proc(5) is of Linux")
def test_this_process() -> None:
    memory = memory_of(os.getpid())
    assert memory["rss"] >= memory["pss"] > 1 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="proc(5) is of Linux")
def test_a_process_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.read_text

    def read_text(path: Path) -> str:
        if path.name == "smaps_rollup":
            raise PermissionError
        return real(path)

    monkeypatch.setattr(Path, "read_text", read_text)
    assert list(memory_of(os.getpid())) == ["rss"]


def test_no_process() -> None:
    assert memory_of(0) == {}
