import json
from pathlib import Path

import pytest

from atlas.web.errors.masking import MASK
from tests.cli.conftest import Run

APP = """
from atlas import Application

app = Application(config={"limit_body": 5})
"""


def rows(out: str) -> dict[str, str]:
    found = {}
    for line in out.splitlines():
        name, _, rest = line.strip().partition(" ")
        found.setdefault(name, " ".join(rest.split()))
    return found


def test_where_each_setting_comes_from(project: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "main.py").write_text(APP)
    (project / "settings.py").write_text("allowed_hosts = ['a.test', 'b.test']\nsecret_key = 'hush'\n")
    (project / "pyproject.toml").write_text("[tool.atlas]\napp = 'main:app'\nbacklog = 7\naccess-log = false\n")
    monkeypatch.setenv("ATLAS_SERVE_PORT", "9")
    monkeypatch.setenv("ATLAS_CONFIG", "settings")
    monkeypatch.setenv("ATLAS_DEBUG", "1")
    status, out, _ = run("config", "--app-dir", ".")
    found = rows(out)
    assert status == 0
    assert found["port"] == "9 ATLAS_SERVE_PORT"
    assert found["backlog"] == "7 pyproject.toml:3"
    assert found["access_log"] == "off pyproject.toml:4"
    assert found["app_dir"] == ". --app-dir"
    assert found["host"] == "127.0.0.1"
    assert found["limit_concurrency"] == "no limit"
    assert found["debug"] == "on ATLAS_DEBUG"
    assert found["allowed_hosts"] == "a.test, b.test ATLAS_CONFIG=settings"
    assert found["limit_body"] == "5 Application(...)"
    assert found["sync_mode"] == "auto"
    assert "hush" not in out


def test_json(project: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "main.py").write_text(APP)
    monkeypatch.setenv("ATLAS_SECRET_KEY", "hush")
    status, out, _ = run("config", "main:app", "--json")
    found = json.loads(out)
    assert status == 0
    assert found["server"]["port"] == {"value": 8000, "from": "default"}
    assert found["application"]["limit_body"] == {"value": 5, "from": "Application(...)"}
    assert found["application"]["secret_key"]["from"] == "ATLAS_SECRET_KEY"
    assert "hush" not in out


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("postgresql+asyncpg://ada:hush@db/notes", f"postgresql+asyncpg://ada:{MASK}@db/notes"),
        ("postgresql+asyncpg://ada:hu/sh@hush@db:5/notes", f"postgresql+asyncpg://ada:{MASK}@db:5/notes"),
        ("mysql+asyncmy://:hush@db/notes", f"mysql+asyncmy://:{MASK}@db/notes"),
        (
            "postgresql+asyncpg://db/n?user=ada&password=hush&ssl=on",
            f"postgresql+asyncpg://db/n?user=ada&password={MASK}&ssl=on",
        ),
        ("postgresql+asyncpg://ada@db:5432/notes", "postgresql+asyncpg://ada@db:5432/notes"),
        ("sqlite+aiosqlite:///notes.db?timeout=3", "sqlite+aiosqlite:///notes.db?timeout=3"),
    ],
)
def test_an_address_is_shown_without_its_password(
    project: Path, run: Run, monkeypatch: pytest.MonkeyPatch, address: str, told: str
) -> None:
    (project / "main.py").write_text(APP)
    monkeypatch.setenv("ATLAS_DATABASE_URL", address)
    status, out, _ = run("config", "main:app")
    assert (status, rows(out)["database_url"]) == (0, f"{told} ATLAS_DATABASE_URL")
    as_json = run("config", "main:app", "--json")[1]
    assert json.loads(as_json)["application"]["database_url"]["value"] == told
    assert "hush" not in out + as_json


def test_without_an_application(project: Path, run: Run) -> None:
    status, out, _ = run("config")
    assert status == 0
    assert "The settings of the application are not shown: there is no main.py" in out


def test_an_application_that_is_named_has_to_be_there(project: Path, run: Run) -> None:
    assert run("config", "main:app")[0] == 1


def test_an_application_that_is_not_an_atlas_application(project: Path, run: Run) -> None:
    (project / "main.py").write_text("async def app(scope, receive, send): ...\n")
    assert "main:app is not an atlas.Application" in run("config", "main:app")[1]


def test_a_wrong_setting_is_status_2(project: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATLAS_SERVE_PROT", "9")
    assert run("config") == (
        2,
        "",
        "Error: ATLAS_SERVE_PROT: there is no such setting: did you mean 'ATLAS_SERVE_PORT'?\n",
    )


def test_a_command_line_of_serve(project: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "main.py").write_text(APP)
    (project / "vars").write_text("ATLAS_SERVE_BACKLOG=5\n")
    (project / "atlas.toml").write_text("host = '::1'\n")
    monkeypatch.setenv("ATLAS_SERVE_BACKLOG", "")  # so that it is restored afterwards
    monkeypatch.delenv("ATLAS_SERVE_BACKLOG")
    monkeypatch.setenv("UVICORN_WORKERS", "2")
    status, out, _ = run("config", "main:app", "--env-file", "vars", "--port", "9", "--dev", "--http", "h11")
    found = rows(out)
    assert status == 0
    assert found["app"] == "main:app command line"
    assert found["port"] == "9 --port"
    assert found["dev"] == "on --dev"
    assert found["backlog"] == "5 ATLAS_SERVE_BACKLOG in vars"
    assert found["host"] == "::1 atlas.toml:1"
    assert found["workers"] == "2 UVICORN_WORKERS"
    assert found["timeout_graceful_shutdown"] == "2"
    assert "UVICORN_WORKERS is used as --workers 2" in out
    assert "--http has no effect: Atlas has one HTTP parser" in out
