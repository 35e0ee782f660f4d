"""The forum has tests of its own, with its own configuration of pytest. They run as its author would run them."""

import subprocess
import sys
from pathlib import Path

FORUM = Path(__file__).parents[2] / "examples" / "forum"


def test_the_forums_own_tests_pass() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=FORUM, capture_output=True, text=True, timeout=80)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_the_command_line_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "atlas", "check"]
    done = subprocess.run(
        command, cwd=FORUM, env={"FORUM_FOLDER": str(tmp_path)}, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stdout + done.stderr
