"""With the collector off, objects and memory return to where they were.

``make test`` runs a small round; ``ATLAS_LEAKS_FULL=1`` runs 20,000 requests, 5,000 connects and 1,000 resets.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("leak_check.py")
FULL = os.environ.get("ATLAS_LEAKS_FULL", "") not in ("", "0")


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_nothing_is_kept(loop: str) -> None:
    command = [sys.executable, str(PROGRAM), "--loop", loop, *(["--full"] if FULL else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=80)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-4000:]}"
    assert done.stdout.count("0 leaks") == 3


def test_a_leak_would_be_seen() -> None:
    """The check itself can fail: by objects in cycles, by small blocks and by plain memory."""
    from .leak_check import BLOCKS, PER_TYPE, RSS, Census

    before = Census.take()
    kept = [Peer() for _ in range(PER_TYPE + 10)]
    blocks = [object() for _ in range(BLOCKS + 1000)]
    memory = b"z" * (RSS + (2 << 20))
    lines = Census.take().growth_since(before)
    assert any("Peer" in line for line in lines)
    assert any("blocks" in line for line in lines)
    assert any("resident" in line for line in lines) or not Path("/proc/self/statm").exists()
    del kept, blocks, memory


class Peer:
    """Something to leak, in a cycle with itself."""

    def __init__(self) -> None:
        self.me = self
