import io
from pathlib import Path

import pytest

from atlas import Application
from atlas.cli.shell import names
from atlas.cli.target import Target
from atlas.testing import TestClient
from tests.cli.conftest import Run

APP = """
from atlas import Application, Route

app = Application([Route("/", lambda request: "hello", name="home")])
app.on_startup(lambda: print("up"))
app.on_shutdown(lambda: print("down"))
"""


@pytest.fixture(autouse=True)
def site(project: Path) -> None:
    (project / "main.py").write_text(APP)


def test_code(run: Run) -> None:
    status, out, _ = run("shell", "-c", "print(client.get('/').text, url_for('home'), len(routes), Route.__name__)")
    assert (status, out.splitlines()) == (0, ["up", "hello / 1 Route", "down"])


def test_the_client_is_not_started_for_nothing(run: Run) -> None:
    assert run("shell", "-c", "print(app.debug)")[1] == "False\n"


def test_a_conversation(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("print(client.get('/').text)\n"))
    status, out, _ = run("shell", "main:app")
    assert status == 0
    assert "hello" in out


def test_names() -> None:
    app = Application()
    known = names(Target("main:app", app), TestClient(app))
    assert known["app"] is app
    assert {"client", "config", "state", "routes", "url_for", "atlas", "Application", "render"} <= set(known)


def test_names_for_any_application() -> None:
    async def app(scope: object, receive: object, send: object) -> None: ...

    known = names(Target("main:app", app), TestClient(app))
    assert "config" not in known
    assert known["app"] is app


def test_a_mistake_is_one_line(run: Run) -> None:
    assert run("shell", "mian:app")[2].count("\n") == 1
