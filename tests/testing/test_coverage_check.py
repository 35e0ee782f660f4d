"""Coverage of ``def`` controllers that wait: what the plugin says, and that the setting is right."""

import subprocess
import sys
from pathlib import Path

import pytest

from atlas.testing.coverage_check import coverage_advice

ROOT = Path(__file__).parents[2]
MAIN = """
import asyncio
from atlas import Application, Route, await_

def waits(request):
    await_(asyncio.sleep(0))
    return "after"

def waits_in_thread(request):
    await_(asyncio.sleep(0))
    return "after"

app = Application([Route("/", waits), Route("/thread", waits_in_thread, run="thread")])
"""
TEST = """
def test_both(client):
    assert client.get("/").text == client.get("/thread").text == "after"
"""


def test_without_coverage_there_is_nothing_to_say() -> None:
    if "coverage" not in sys.modules:
        assert coverage_advice() is None


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="coverage measures greenlets by itself, by sys.monitoring")
@pytest.mark.parametrize("is_set", [False, True])
def test_the_lines_after_a_wait(tmp_path: Path, is_set: bool) -> None:
    pytest.importorskip("coverage")
    setting = 'concurrency = ["greenlet", "thread"]\n' if is_set else ""
    (tmp_path / "pyproject.toml").write_text(f'[tool.atlas]\napp = "main:app"\n[tool.coverage.run]\n{setting}')
    (tmp_path / "main.py").write_text(MAIN)
    (tmp_path / "test_it.py").write_text(TEST)
    pytest_command = ["-m", "pytest", "-q", "-p", "no:atlas", "-p", "atlas.testing.plugin", "-p", "no:cacheprovider"]
    environ = {"PYTHONPATH": f"{ROOT}:{tmp_path}", "PATH": ""}
    run = [sys.executable, "-m", "coverage"]
    tested = subprocess.run(
        [*run, "run", "--include=main.py", *pytest_command, str(tmp_path)],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert ("set concurrency" in tested.stdout) is not is_set
    report = subprocess.run(
        [*run, "report", "-m"], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    row = next(line for line in report.stdout.splitlines() if line.startswith("main.py"))
    assert row.endswith("100%" if is_set else " 7")
