"""With the garbage collector off, sync code that waits leaves no greenlet, context or request behind."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("sync_code_check.py")


@pytest.mark.leaks
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("kind", ["lasgi", "greenlet", "thread"])
def test_nothing_is_kept(kind: str, loop: str) -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), kind, loop], capture_output=True, text=True, timeout=80, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-2000:]}"
    assert done.stdout.count(" 0 leaks") == 3
