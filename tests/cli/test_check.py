from pathlib import Path

import pytest

from atlas import Application
from atlas.cli.check import findings
from tests.cli.conftest import Run

APP = """
from atlas import Application, Route

app = Application([Route("/", lambda request: "", name="home")])
"""


def test_nothing_to_fix(project: Path, run: Run) -> None:
    (project / "main.py").write_text(APP)
    assert run("check") == (0, "ok  main:app: 1 route, no mistakes found\n", "")
    assert run("check", "main:app")[1] == "ok  main:app: 1 route, no mistakes found\n"


def test_one_line_per_finding_and_status_1(project: Path, run: Run) -> None:
    (project / "main.py").write_text(APP)
    (project / "templates").mkdir()
    (project / "templates" / "page.html").write_text("{{ url_for('hom') }}\n{% include 'nav.html' %}")
    (project / "templates" / "wrong.html").write_text("\n{{ % }}")
    status, out, err = run("check", "main:app")
    assert (status, err) == (1, "")
    assert out.splitlines() == [
        "page.html:1: url_for: no route is named 'hom'; did you mean 'home'?",
        "page.html:2: there is no template 'nav.html': did you mean 'page.html'?",
        "wrong.html:2: unexpected '%'",
    ]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("1 / 0", "Error: 'main' cannot be imported: ZeroDivisionError: division by zero"),
        (
            "from atlas import Application, Route\napp = Application([Route('x', print)])",
            "route 'x': a path starts with '/'",
        ),
        ("from atlas import Application\napp = Application(config={'debgu': 1})", "did you mean 'debug'?"),
    ],
)
def test_what_stops_the_import_stops_the_check(project: Path, run: Run, source: str, error: str) -> None:
    (project / "main.py").write_text(source)
    status, out, err = run("check")
    assert (status, out) == (1, "")
    assert error in err.splitlines()[-1]


def test_a_setting_that_will_not_do(project: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "main.py").write_text(APP)
    monkeypatch.setenv("ATLAS_SERVE_PORT", "x")
    assert run("check")[0] == 2


def test_the_configuration() -> None:
    app = Application(config={"secret_key": ["a" * 32, "short"]})
    assert list(findings(app)) == ["config: secret_key: expected 32 characters or more, got 5"]


def test_middleware_that_cannot_be_bound() -> None:
    class Needy:
        def bind(self, application: Application) -> None:
            raise ValueError("no secret_key")

        def before(self, request: object) -> None:
            return None

    assert next(findings(Application(middleware=[Needy()]))).endswith("no secret_key")
