"""The fixture, in a pytest of its own."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

CONFTEST = """
import pytest
from sqlalchemy import text

from atlas import Application, Route, await_
from atlas.sqlalchemy import Database, rollback_fixture

db = Database("sqlite+aiosqlite:///notes.db")
rollback = rollback_fixture(db{options})

def add(request):
    db.session.execute(text("INSERT INTO note VALUES ('a')"))
    return str(db.session.scalar(text("SELECT count(*) FROM note")))

@pytest.fixture(scope="module")
def app():
    db.run(lambda: db.session.execute(text("CREATE TABLE IF NOT EXISTS note (text VARCHAR)")))
    return Application([Route("/", add, ["POST"], run="greenlet")], middleware=[db])
"""
TESTS = """
import pytest
from sqlalchemy import text

@pytest.mark.parametrize("again", range(3))
def test_alone(client, again{argument}):
    assert client.post("/").text == "1"
    assert client.post("/").text == "2"
"""
VALUE = """
def test_value(rollback, client):
    client.post("/")
    assert rollback.run(lambda: rollback.session.scalar(text("SELECT text FROM note"))) == "a"
"""


def run(folder: Path, options: str, argument: str, more: str = "") -> str:
    (folder / "conftest.py").write_text(CONFTEST.format(options=options))
    (folder / "test_notes.py").write_text(TESTS.format(argument=argument) + more)
    # As an installed plugin it would be there by itself: "no:atlas" keeps it from being there twice.
    plugin = ["-p", "no:atlas", "-p", "atlas.testing.plugin", "-p", "no:cacheprovider", "-q"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", *plugin, "--rootdir", str(folder), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        cwd=folder,
    )
    return done.stdout + done.stderr


def test_for_those_who_ask(tmp_path: Path) -> None:
    assert "4 passed" in run(tmp_path, "", ", rollback", VALUE)


def test_for_all(tmp_path: Path) -> None:
    assert "3 passed" in run(tmp_path, ", autouse=True", "")


def test_without_it_they_would_fail(tmp_path: Path) -> None:
    assert "2 failed, 1 passed" in run(tmp_path, "", "")
