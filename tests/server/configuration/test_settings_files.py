"""``atlas.toml`` and ``[tool.atlas]``: which is read, and the line of each key."""

from pathlib import Path

import pytest

from atlas.server.configuration.load_settings import load_settings
from atlas.server.configuration.settings_files import SettingError, read_file

PROJECT = """\
[project]
port = 1

[tool.atlas]
# port = 2
port = 3
"access-log"=false
header = [
    "X-A: 1",
]

[tool.atlas.none]
x = 1

[tool.other]
backlog = 4
"""


def places(folder: Path) -> dict[str, str]:
    return {each.key: each.place for each in read_file(folder)}


def test_the_line_of_each_key(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    assert places(tmp_path) == {
        "port": "pyproject.toml:6",
        "access-log": "pyproject.toml:7",
        "header": "pyproject.toml:8",
        "none": "pyproject.toml:12",
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [("tool.atlas.port = 1", 1), ("[tool]\natlas.port = 1", 2), ("[tool]\natlas = {port = 1}", 2)],
)
def test_other_ways_to_write_a_table(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert load_settings(None, {}, {}, tmp_path).settings.port == 1
    assert places(tmp_path)["port"] in (f"pyproject.toml:{line}", "pyproject.toml")


def test_atlas_toml(tmp_path: Path) -> None:
    (tmp_path / "atlas.toml").write_text("app = 'site:app'\n\nport = 5\n[headers]\nX-A = '1'\n")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    loaded = load_settings(None, {}, {}, tmp_path)
    assert (loaded.app, loaded.settings.port, loaded.settings.headers) == ("site:app", 5, (("X-A", "1"),))
    assert loaded.origins == {"app": "atlas.toml:1", "port": "atlas.toml:3", "headers": "atlas.toml:4"}


@pytest.mark.parametrize(
    ("own", "project", "message"),
    [
        (
            "port = 1",
            "[tool.atlas]\nport = 2",
            "^atlas.toml and .tool.atlas. in pyproject.toml: expected one of them",
        ),
        ("port =", "", "atlas.toml: is not valid TOML: "),
        ("prot = 1", "", r"^atlas.toml, prot: there is no such setting: did you mean 'port'\?$"),
        ("port = 'x'", "", "^atlas.toml, port: expected an integer from 0 to 65535, got 'x'$"),
    ],
)
def test_a_mistake(tmp_path: Path, own: str, project: str, message: str) -> None:
    (tmp_path / "atlas.toml").write_text(own)
    (tmp_path / "pyproject.toml").write_text(project)
    with pytest.raises(SettingError, match=message):
        load_settings(None, {}, {}, tmp_path)
