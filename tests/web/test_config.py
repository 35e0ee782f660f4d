import types
from pathlib import Path
from typing import Any

import pytest

from atlas import Application, StartupError
from atlas.web.config import Config

NOTHING: dict[str, str] = {}


def read(source: Any = None, environ: dict[str, str] = NOTHING, **overrides: Any) -> Config:
    return Config.read(source, environ=environ, **overrides)


def test_the_defaults() -> None:
    assert read() == Config()


def test_from_a_mapping_with_overrides() -> None:
    config = read({"debug": False, "limit_body": 5, "template_dirs": ["a"]}, debug=True)
    assert (config.debug, config.limit_body, config.template_dirs) == (True, 5, ("a",))
    assert read({"debug": True}, debug=None).debug


def test_from_a_module_only_its_lower_case_values_count() -> None:
    module = types.ModuleType("settings")
    vars(module).update(debug=True, OTHER=1, _hidden=2, os=types, function=print)
    assert read(module).debug


def test_an_unknown_name_suggests_the_close_one() -> None:
    with pytest.raises(StartupError, match="config: no setting 'debgu'; did you mean 'debug'"):
        read({"debgu": True})
    with pytest.raises(StartupError, match="no setting 'xyz'$"):
        read({"xyz": True})
    with pytest.raises(StartupError, match="ATLAS_LIMIT_BODDY: no such setting; did you mean ATLAS_LIMIT_BODY"):
        read(environ={"ATLAS_LIMIT_BODDY": "1"})


def test_variables_of_other_programs_are_ignored() -> None:
    assert read(environ={"ATLAS_DEBUG_BUILD": "1", "ATLAS_SERVE_PORT": "1", "ATLAS_OTHER": "x"}) == Config()


@pytest.mark.parametrize(
    "values",
    [
        {"debug": 1},
        {"limit_body": -1},
        {"limit_body": True},
        {"limit_body": "1"},
        {"template_dirs": "templates"},
        {"static_dirs": [1]},
        {"allowed_hosts": 5},
        {"log_level": "loud"},
        {"sync_mode": "slow"},
        {"secret_key": 5},
        {"database_url": 5},
        {"database_url": "app.db"},
    ],
)
def test_values_of_the_wrong_kind(values: dict[str, Any]) -> None:
    with pytest.raises(StartupError, match=f"config: {next(iter(values))}: expected"):
        read(values)


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("ATLAS_DEBUG", "true", True),
        ("ATLAS_DEBUG", "0", False),
        ("ATLAS_LIMIT_BODY", "5", 5),
        ("ATLAS_SECRET_KEY", "a,b", "a,b"),
        ("ATLAS_SECRET_KEY", '["a", "b"]', ("a", "b")),
        ("ATLAS_ALLOWED_HOSTS", "a.test, b.test,", ("a.test", "b.test")),
        ("ATLAS_TEMPLATE_DIRS", '["a,b"]', ("a,b",)),
        ("ATLAS_LOG_LEVEL", "INFO", "info"),
        ("ATLAS_SYNC_MODE", "thread", "thread"),
        ("ATLAS_DATABASE_URL", "sqlite+aiosqlite:///App.db", "sqlite+aiosqlite:///App.db"),
    ],
)
def test_from_the_environment(variable: str, text: str, value: Any) -> None:
    name = variable.removeprefix("ATLAS_").lower()
    assert getattr(read({name: value}, {variable: text}), name) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [("ATLAS_DEBUG", "perhaps"), ("ATLAS_LIMIT_BODY", "1k"), ("ATLAS_STATIC_DIRS", "[a"), ("ATLAS_SYNC_MODE", "x")],
)
def test_variables_of_the_wrong_kind(variable: str, text: str) -> None:
    with pytest.raises(StartupError, match=r"expected"):
        read(environ={variable: text})


def test_a_module_that_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop_config.py").write_text("debug = True\nlimit_body = 7\n")
    (tmp_path / "bad_config.py").write_text("debgu = True\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("ATLAS_CONFIG", "shop_config")
    monkeypatch.setenv("ATLAS_LIMIT_BODY", "9")
    app = Application(config={"limit_body": 5, "log_level": "info"}, debug=False)
    assert (app.config.debug, app.config.limit_body, app.config.log_level) == (False, 9, "info")
    with pytest.raises(StartupError, match="ATLAS_CONFIG=bad_config: no setting 'debgu'; did you mean 'debug'"):
        read(environ={"ATLAS_CONFIG": "bad_config"})
    with pytest.raises(StartupError, match="ATLAS_CONFIG=no_config: No module named 'no_config'"):
        read(environ={"ATLAS_CONFIG": "no_config"})


def test_a_secret_is_not_shown() -> None:
    assert "hush" not in repr(Config(secret_key="hush", database_url="postgresql+asyncpg://me:hush@db.test/app"))
    with pytest.raises(StartupError, match="database_url") as bad_url:
        read({"database_url": "me:hush@db.test/app"})
    assert "hush" not in str(bad_url.value)
    with pytest.raises(StartupError) as caught:
        read({"secret_key": ["hush", 5]})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("name", ["ATLAS_TEMPLATES", "ATLAS_TEMPLATE_CACHE"])
def test_variables_of_the_template_engine_are_no_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "jinja2")
    assert Application().debug is False
    monkeypatch.setenv("ATLAS_TEMPLATE_DIR", "x")
    with pytest.raises(StartupError, match="did you mean ATLAS_TEMPLATE_DIRS"):
        Application()
