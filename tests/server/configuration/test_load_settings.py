"""Flags outweigh the environment, which outweighs the file; a mistake names where it stands."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from atlas.server.configuration.load_settings import SettingError, environment_variable, flag_name, load_settings
from atlas.server.configuration.settings import Settings, settings_table


def write(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(text)


def test_without_any_source_all_is_default(tmp_path: Path) -> None:
    gathered = load_settings(None, {}, {}, tmp_path)
    assert gathered.settings == Settings()
    assert gathered.app is None


def test_the_weight_of_the_sources(tmp_path: Path) -> None:
    write(tmp_path, "[tool.atlas]\nport = 1\nbacklog = 1\nhost = 'file'\napp = 'file:app'")
    environ = {"ATLAS_SERVE_PORT": "2", "ATLAS_SERVE_BACKLOG": "2", "OTHER": "x", "ATLAS_SERVE_APP": "environment:app"}
    gathered = load_settings("flag:app", {"port": "3"}, environ, tmp_path)
    assert (gathered.settings.port, gathered.settings.backlog, gathered.settings.host) == (3, 2, "file")
    assert gathered.app == "flag:app"
    assert load_settings(None, {}, environ, tmp_path).app == "environment:app"
    assert load_settings(None, {}, {}, tmp_path).app == "file:app"


def test_a_variable_of_uvicorn_has_the_least_weight(tmp_path: Path) -> None:
    environ = {"FORWARDED_ALLOW_IPS": "10.0.0.1"}
    assert load_settings(None, {}, environ, tmp_path).settings.forwarded_allow_ips == ("10.0.0.1/32",)
    environ["ATLAS_SERVE_FORWARDED_ALLOW_IPS"] = "*"
    assert load_settings(None, {}, environ, tmp_path).settings.forwarded_allow_ips == ("*",)
    assert load_settings(None, {}, {"WEB_CONCURRENCY": "3"}, tmp_path).settings.workers == 3
    with pytest.raises(SettingError, match=r"FORWARDED_ALLOW_IPS: expected IP addresses, .* got 'proxy'"):
        load_settings(None, {}, {"FORWARDED_ALLOW_IPS": "proxy"}, tmp_path)


@pytest.mark.parametrize("name", settings_table())
def test_every_setting_has_a_flag_and_a_variable(name: str) -> None:
    assert flag_name(name).startswith("--")
    assert environment_variable(name) == "ATLAS_SERVE_" + flag_name(name).removeprefix("--").replace("-", "_").upper()


def test_the_values_of_each_source_are_read_in_its_own_way(tmp_path: Path) -> None:
    write(tmp_path, "[tool.atlas]\naccess-log = false\nheader = ['X-A: 1']\nlimit_request_body = 5")
    environ = {"ATLAS_SERVE_DATE_HEADER": "no", "ATLAS_SERVE_LIMIT_REQUEST_HEAD": "128K"}
    settings = load_settings(None, {"factory": True, "limit_request_line": "4K"}, environ, tmp_path).settings
    assert settings == Settings(
        access_log=False,
        headers=(("X-A", "1"),),
        limit_request_body=5,
        date_header=False,
        limit_request_head=131072,
        factory=True,
        limit_request_line=4096,
    )


def test_headers_may_be_a_table_and_are_known_by_both_names(tmp_path: Path) -> None:
    write(tmp_path, "[tool.atlas.headers]\nX-A = '1'")
    assert load_settings(None, {}, {}, tmp_path).settings.headers == (("X-A", "1"),)
    assert load_settings(None, {"headers": ("X-B: 2",)}, {}, tmp_path).settings.headers == (("X-B", "2"),)


def test_an_empty_variable_is_not_set(tmp_path: Path) -> None:
    assert load_settings(None, {}, {"ATLAS_SERVE_PORT": ""}, tmp_path).settings.port == 8000


@pytest.mark.parametrize(
    ("flags", "environ", "file", "message"),
    [
        ({"port": "x"}, {}, "", r"^--port: expected an integer from 0 to 65535, got 'x'$"),
        ({"headers": ("x",)}, {}, "", r"^--header: expected 'Name: value'"),
        ({}, {"ATLAS_SERVE_PORT": "x"}, "", r"^ATLAS_SERVE_PORT: expected an integer"),
        ({}, {"ATLAS_SERVE_PROT": "1"}, "", r"^ATLAS_SERVE_PROT: there is no .*did you mean 'ATLAS_SERVE_PORT'\?$"),
        ({}, {}, "[tool.atlas]\nport = 'x'", r"^pyproject.toml, \[tool.atlas\], port: expected an integer"),
        ({}, {}, "[tool.atlas]\nprot = 1", r"^pyproject.toml, \[tool.atlas\], prot: .*did you mean 'port'\?$"),
        ({}, {}, "[tool.atlas]\napp = 1", r"^pyproject.toml, \[tool.atlas\], app: expected 'module:attr', got 1$"),
        ({}, {}, "[tool]\natlas = 1", r"^pyproject.toml, tool.atlas: expected a table, got 1$"),
        ({}, {}, "tool.atlas = {", r"pyproject.toml: is not valid TOML: "),
        ({"uds": "a"}, {"ATLAS_SERVE_FD": "3"}, "", r"^--uds and ATLAS_SERVE_FD: expected one of them, got both$"),
    ],
)
def test_a_mistake_names_its_source(
    tmp_path: Path, flags: Mapping[str, Any], environ: Mapping[str, str], file: str, message: str
) -> None:
    write(tmp_path, file)
    with pytest.raises(SettingError, match=message):
        load_settings(None, flags, environ, tmp_path)


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingError, match="cannot be read"):
        load_settings(None, {}, {}, tmp_path)
