"""The example: its own tests pass, without a warning, and its script and its server find their database."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTES = ROOT / "examples" / "notes_sqlalchemy"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ATLAS_", "PYTEST"))}
    url = f"sqlite+aiosqlite:///{tmp_path / 'notes.db'}"
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "ATLAS_DATABASE_URL": url}


def run(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-W", "error", *arguments]
    done = subprocess.run(command, cwd=NOTES, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_tests_pass(environment: dict[str, str]) -> None:
    del environment["ATLAS_DATABASE_URL"]
    plugin = ["-p", "no:atlas", "-p", "atlas.testing.plugin", "-p", "no:cacheprovider"]
    out = run(environment, "-m", "pytest", "-q", *plugin, "--rootdir", str(NOTES), str(NOTES))
    assert " passed" in out
    assert "warning" not in out


def test_the_script_fills_what_the_application_shows(environment: dict[str, str]) -> None:
    for _ in range(2):  # the second time there is nothing left to do
        run(environment, "seed.py")
    show = "from main import app; from atlas import TestClient; print(TestClient(app).get('/api/notes').json())"
    assert run(environment, "-c", show).count("'title'") == 4
