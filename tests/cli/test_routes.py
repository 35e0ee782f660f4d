import json
from pathlib import Path

import click
import pytest

from tests.cli.conftest import Run

APP = """
from atlas import Application, Route

def home(request): ...

async def show(request, lake): ...

app = Application([Route("/", home), Route("/lakes/{lake}", show, ["PUT", "DELETE"], name="lake")])
empty = Application()
"""


@pytest.fixture(autouse=True)
def site(project: Path) -> None:
    (project / "main.py").write_text(APP)


def test_the_table(run: Run) -> None:
    status, out, _ = run("routes", "main:app")
    assert status == 0
    assert [line.split() for line in out.splitlines()] == [
        ["METHODS", "PATH", "NAME", "CONTROLLER", "RUN", "DEFINED", "AT"],
        ["GET", "/", "home", "main.home", "greenlet", "main.py:8"],
        ["PUT", "DELETE", "/lakes/{lake}", "lake", "main.show", "await", "main.py:8"],
        [],
        ["2", "routes", "in", "main:app"],
    ]


def test_columns_stand_below_each_other_in_colour_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _, plain, _ = run("routes", "main:app")
    monkeypatch.setattr("click.utils.should_strip_ansi", lambda *_: False)
    _, coloured, _ = run("routes", "main:app")
    assert "\x1b[36m{lake}\x1b[0m" in coloured
    assert click.unstyle(coloured) == plain


def test_json(run: Run) -> None:
    status, out, _ = run("routes", "--json")
    assert status == 0
    assert json.loads(out)[1] == {
        "methods": ["PUT", "DELETE"],
        "path": "/lakes/{lake}",
        "host": None,
        "name": "lake",
        "controller": "main.show",
        "run": "await",
        "place": str(Path("main.py").absolute()) + ":8",
    }


def test_none_at_all(run: Run) -> None:
    assert run("routes", "main:empty")[1].endswith("no routes in main:empty\n")


def test_a_mistake_is_one_line(run: Run) -> None:
    assert run("routes", "main:ap") == (1, "", "Error: 'main' has no attribute 'ap': did you mean 'app'?\n")
