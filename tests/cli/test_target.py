from pathlib import Path

import pytest

from atlas.cli.target import atlas_only, find, settings_for
from atlas.errors import StartupError

APP = "from atlas import Application\n\napp = Application()\n\n\ndef make():\n    return app\n"


def test_the_default(project: Path) -> None:
    (project / "main.py").write_text(APP)
    found = find(None)
    assert (found.name, atlas_only(found).debug) == ("main:app", False)


@pytest.mark.parametrize("more", ["app = 'pond:app'", "app = 'pond:make'\nfactory = true"])
def test_by_the_project_file(project: Path, more: str) -> None:
    (project / "src").mkdir()
    (project / "src" / "pond.py").write_text(APP)
    (project / "pyproject.toml").write_text(f"[tool.atlas]\napp_dir = 'src'\n{more}")
    found = find(None)
    assert found.name.startswith("pond:")
    assert atlas_only(found).debug is False


def test_by_an_env_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "vars").write_text("ATLAS_SERVE_PORT=5\n")
    monkeypatch.setenv("ATLAS_SERVE_ENV_FILE", "vars")
    monkeypatch.setenv("ATLAS_SERVE_PORT", "")
    monkeypatch.delenv("ATLAS_SERVE_PORT")
    assert settings_for(None, None, None).settings.port == 5


def test_a_flag_weighs_more(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.atlas]\napp_dir = 'src'")
    assert settings_for("a:b", ".", True).settings.app_dir == "."


def test_an_application_that_is_not_an_atlas_application(project: Path) -> None:
    (project / "main.py").write_text("async def app(scope, receive, send): ...\n")
    found = find("main:app")
    with pytest.raises(StartupError, match="main:app: expected an atlas.Application, got an object of type function"):
        atlas_only(found)
