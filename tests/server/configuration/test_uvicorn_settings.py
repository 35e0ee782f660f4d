"""uvicorn's settings: what Atlas calls otherwise or does not need is read with a note; the documentation has each."""

import re
from pathlib import Path
from typing import Any

import click
import pytest

from atlas.server.configuration.load_settings import SettingError, flag_name, load_settings
from atlas.server.configuration.settings import Settings, settings_table
from atlas.server.configuration.uvicorn_settings import IGNORED, RENAMED, SWITCHES, uvicorn_advice, uvicorn_variables

ROOT = Path(__file__).parents[3]
OWN = {flag_name(name) for name in settings_table()}


def options_of_uvicorn() -> dict[str, click.Option]:
    from uvicorn.main import main

    options = [each for each in main.params if isinstance(each, click.Option)]
    return {flag: option for option in options for flag in option.opts if flag.startswith("--")}


def documented() -> dict[str, tuple[str, str]]:
    """The flags of the table in the documentation, with what each is in Atlas, and the remark."""
    text = (ROOT / "docs/guides/uvicorn.md").read_text(encoding="utf-8")
    text = text[text.index("## The flags") : text.index("## What is different")]
    rows = re.findall(r"^\| `(--[a-z0-9-]+)`[^|]* \| ([^|]+) \| ([^|]*) \|$", text, re.MULTILINE)
    return {flag: (kind.strip(), remark.strip()) for flag, kind, remark in rows}


def test_the_documentation_has_every_flag() -> None:
    assert sorted(documented()) == sorted(options_of_uvicorn())


@pytest.mark.parametrize("flag", options_of_uvicorn())
def test_the_documentation_is_right(flag: str) -> None:
    kind, remark = documented()[flag]
    name = options_of_uvicorn()[flag].name or ""
    if name in RENAMED:
        assert kind == f"`{flag_name(RENAMED[name])}`"
    elif name in IGNORED:
        assert kind == "not needed"
        assert remark
    elif flag == "--version":
        assert kind == "`atlas --version`"
    elif flag in OWN:
        assert kind == "same"
    else:
        assert kind == "not yet"
        assert uvicorn_advice(flag)


@pytest.mark.parametrize("name", options_of_uvicorn())
def test_a_switch_is_one_in_both(name: str) -> None:
    option = options_of_uvicorn()[name]
    if option.name in IGNORED:
        assert option.is_flag == (option.name in SWITCHES)


def load(environ: dict[str, str], flags: dict[str, Any] | None = None, folder: str = "nowhere") -> Any:
    return load_settings(None, flags or {}, environ, folder)


def test_a_flag_of_another_name() -> None:
    loaded = load({}, {"h11_max_incomplete_event_size": "70000", "timeout_worker_healthcheck": "7"})
    assert (loaded.settings.limit_request_head, loaded.settings.timeout_worker_heartbeat) == (70000, 7)
    assert loaded.notes[0] == "--h11-max-incomplete-event-size of uvicorn is used as --limit-request-head"
    assert loaded.origins["limit_request_head"] == "--h11-max-incomplete-event-size"


def test_the_flag_of_atlas_takes_precedence() -> None:
    flags = {"limit_request_head": "50000", "h11_max_incomplete_event_size": "70000"}
    assert load({}, flags).settings.limit_request_head == 50000


def test_a_flag_without_a_meaning() -> None:
    loaded = load({}, {"http": "h11", "reset_contextvars": True})
    assert loaded.settings == Settings()
    assert loaded.notes == (
        "--http has no effect: Atlas has one HTTP parser",
        "--reset-contextvars has no effect: each request has a context of its own in Atlas",
    )


VARIABLES = {
    "UVICORN_APP": ("app", "site:app", "UVICORN_APP is used as the application"),
    "UVICORN_HOST": ("host", "::1", "UVICORN_HOST is used as --host ::1"),
    "UVICORN_PORT": ("port", "9", "UVICORN_PORT is used as --port 9"),
    "UVICORN_FACTORY": ("factory", "true", "UVICORN_FACTORY is used as --factory"),
    "UVICORN_ACCESS_LOG": ("access_log", "0", "UVICORN_ACCESS_LOG is used as --no-access-log"),
    "UVICORN_HEADERS": ("headers", "X-A:1 X-B:2", "UVICORN_HEADERS is used as --header X-A: 1, X-B: 2"),
    "UVICORN_RELOAD_DIRS": ("reload_dirs", "a:b c", "UVICORN_RELOAD_DIRS is used as --reload-dir a, b c"),
    "UVICORN_RELOAD_INCLUDES": ("reload_includes", "*.a *.b", "... is used as --reload-include *.a, *.b"),
    "UVICORN_TIMEOUT_KEEP_ALIVE": ("timeout_keep_alive", "5", "... is used as --timeout-keep-alive 5"),
    "UVICORN_SSL_KEYFILE_PASSWORD": ("ssl_keyfile_password", "hush", "... is used as --ssl-keyfile-password"),
    "UVICORN_H11_MAX_INCOMPLETE_EVENT_SIZE": ("h11_max_incomplete_event_size", "9999", "... --limit-request-head 9999"),
    "WEB_CONCURRENCY": ("workers", "3", "WEB_CONCURRENCY is used as --workers 3"),
    "UVICORN_HTTP": ("http", "h11", "UVICORN_HTTP has no effect: Atlas has one HTTP parser"),
    "UVICORN_PROT": (
        "prot",
        "1",
        "... no such setting: did you mean 'UVICORN_PORT'?",
    ),
}


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_variable_is_read_as_uvicorn_reads_it_with_a_note(variable: str) -> None:
    name, text, note = VARIABLES[variable]
    loaded = load({variable: text})
    (told,) = loaded.notes
    assert told.startswith(variable)
    assert told.endswith(note.removeprefix("..."))
    field = RENAMED.get(name, name)
    if field in settings_table():
        assert loaded.origins[field] == variable
        assert getattr(loaded.settings, field) != getattr(Settings(), field)
    assert loaded.app == ("site:app" if name == "app" else None)


def test_other_sources_take_precedence(tmp_path: Path) -> None:
    (tmp_path / "atlas.toml").write_text("port = 5")
    loaded = load({"UVICORN_PORT": "9", "UVICORN_HOST": "a", "ATLAS_SERVE_HOST": "b"}, folder=str(tmp_path))
    assert (loaded.settings.port, loaded.settings.host) == (5, "b")
    assert loaded.notes == (
        "UVICORN_PORT has no effect: atlas.toml:1 takes precedence",
        "UVICORN_HOST has no effect: ATLAS_SERVE_HOST takes precedence",
    )
    loaded = load_settings("here:app", {}, {"UVICORN_APP": "there:app"}, tmp_path)
    assert (loaded.app, loaded.notes) == ("here:app", ("UVICORN_APP has no effect: the command line takes precedence",))


def test_a_prefix_takes_precedence_over_the_variables_without() -> None:
    environ = {"UVICORN_WORKERS": "2", "WEB_CONCURRENCY": "3"}
    assert load(environ).settings.workers == 2


def test_a_wrong_variable_is_named() -> None:
    with pytest.raises(SettingError, match=r"^UVICORN_PORT: expected an integer from 0 to 65535, got 'x'$"):
        load({"UVICORN_PORT": "x"})


def test_an_empty_variable_is_not_set() -> None:
    assert list(uvicorn_variables({"UVICORN_PORT": "", "WEB_CONCURRENCY": "", "OTHER": "1"})) == []


def test_where_a_setting_was_written_for_atlas(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"^the setting 'http' has no effect: Atlas has one HTTP parser$"):
        Settings(http="h11")  # type: ignore[call-arg]
    with pytest.raises(SettingError, match=r"^ATLAS_SERVE_HTTP has no effect: Atlas has one HTTP parser"):
        load_settings(None, {}, {"ATLAS_SERVE_HTTP": "x"}, tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.atlas]\nh11-max-incomplete-event-size = 1\n")
    with pytest.raises(SettingError, match=r"h11-max-incomplete-event-size is --limit-request-head in Atlas$"):
        load_settings(None, {}, {}, tmp_path)


def test_any_other_name_is_not() -> None:
    assert uvicorn_advice("--prot") is None
    assert uvicorn_advice("--reset-contextvars") is not None
