"""With the collector off, objects and memory return to where they were.

20,000 requests, 5,000 connects and 1,000 resets in the middle; with ``ATLAS_LEAKS_FULL=1`` several times that.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("leak_check.py")
FULL = os.environ.get("ATLAS_LEAKS_FULL", "") not in ("", "0")


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROGRAM), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=80, check=False)


@pytest.mark.leaks
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_nothing_is_kept(loop: str) -> None:
    done = run("--loop", loop, *(["--full"] if FULL else []))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-2000:]}"
    assert done.stdout.count(" 0 leaks") == 3


def test_a_planted_leak_is_found() -> None:
    done = run("--plant")
    assert done.returncode == 1
    for kind in ("builtins.dict", "allocated blocks", "resident memory"):
        assert f"more {kind}" in done.stdout
