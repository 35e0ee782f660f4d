"""The benchmark files run: none of Atlas's own is skipped, as one is that names a module which has moved."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_benchmark_of_atlas_runs():
    words = ["bench", "-q", "-p", "no:cacheprovider", "-m", "not peer", "--benchmark-disable", "-rs"]
    done = subprocess.run([sys.executable, "-m", "pytest", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^[4-9]\d passed, \d+ deselected", done.stdout, re.MULTILINE), done.stdout
