from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import jinja2
import pytest
from markupsafe import Markup

from atlas.templates import Environment, UserBytecodeCache
from atlas.templates.bytecode_cache import user_cache_folder

PAGES = {
    "page": "{% extends 'layout' %}{% block a %}{{ x|upper }}{{ 'b'|own }}{% endblock %}",
    "layout": "<{% block a %}{% endblock %}>",
}


def environment(folder: Path, pages: dict[str, str] | None = None, **options: Any) -> Environment:
    made = Environment(loader=jinja2.DictLoader(pages or PAGES), bytecode_cache=UserBytecodeCache(folder), **options)
    made.filters["own"] = str.upper
    return made


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the templates that were compiled."""
    names: list[str] = []
    original = Environment.compile

    def compile_and_note(self: Any, source: Any, name: Any = None, *arguments: Any, **options: Any) -> Any:
        names.append(name)
        return original(self, source, name, *arguments, **options)

    monkeypatch.setattr(Environment, "compile", compile_and_note)
    return names


def test_templates_are_compiled_once(tmp_path: Path, compiled: list[str]) -> None:
    pages = {"page": "{% extends 'layout' %}{% block a %}{{ x|upper }}{% endblock %}", "layout": PAGES["layout"]}
    for _ in range(2):
        assert environment(tmp_path / "new" / "folder", pages).get_template("page").render(x="a") == "<A>"
    assert compiled == ["page", "layout"]
    assert (tmp_path / "new" / "folder").stat().st_mode & 0o777 == 0o700
    assert {each.stat().st_mode & 0o777 for each in (tmp_path / "new" / "folder").iterdir()} == {0o600}


def test_code_that_depends_on_functions_of_the_program_is_not_kept(tmp_path: Path, compiled: list[str]) -> None:
    for _ in range(2):
        assert environment(tmp_path).get_template("page").render(x="a") == "<AB>"
    assert compiled == ["page", "layout", "page"]
    other = environment(tmp_path)
    other.filters["own"] = lambda value: Markup(f"other {value}")
    assert other.get_template("page").render(x="a") == "<Aother b>"


@pytest.mark.parametrize(
    "options",
    [{"autoescape": True}, {"trim_blocks": True}, {"variable_start_string": "[["}, {"extensions": ["jinja2.ext.do"]}],
)
def test_other_options_are_other_code(tmp_path: Path, compiled: list[str], options: dict[str, Any]) -> None:
    pages = {"page": "{{ x }}"}
    environment(tmp_path, pages).get_template("page")
    environment(tmp_path, pages, **options).get_template("page")
    changed = environment(tmp_path, {"page": "{{ x }} "})
    changed.get_template("page")
    missing = environment(tmp_path, pages)
    missing.filters["more"] = jinja2.pass_context(lambda context, value: value)
    missing.get_template("page")
    assert compiled == ["page"] * 4


def test_asynchronous_templates_are_not_kept(tmp_path: Path, compiled: list[str]) -> None:
    for _ in range(2):
        assert environment(tmp_path, {"page": "{{ x }}"}, enable_async=True).get_template("page").render(x=1) == "1"
    assert compiled == ["page"] * 2


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="modes of files are those of Unix")
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write_to_is_not_used(
    tmp_path: Path, mode: int, compiled: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(mode)
    for _ in range(2):
        environment(folder, {"page": "{{ x }}"}).get_template("page")
    assert compiled == ["page"] * 2
    assert list(folder.iterdir()) == []
    assert f"others may write to {folder}" in caplog.text


def test_a_link_to_a_folder_and_a_file_are_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_text("")
    for name in ("link", "file"):
        assert UserBytecodeCache(tmp_path / name).folder is None
    assert len(caplog.records) == 2


@pytest.mark.parametrize("damage", ["truncated", "changed", "writable", "link"])
def test_a_file_that_others_may_have_written_is_not_read(tmp_path: Path, compiled: list[str], damage: str) -> None:
    pages = {"page": "{{ x }}"}
    environment(tmp_path, pages).get_template("page")
    (file,) = tmp_path.iterdir()
    data = file.read_bytes()
    if damage == "truncated":
        file.write_bytes(data[:-10])
    elif damage == "changed":
        file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif damage == "writable":
        file.chmod(0o666)
    else:
        file.rename(tmp_path / "other")
        file.symlink_to(tmp_path / "other")
    assert environment(tmp_path, pages).get_template("page").render(x=1) == "1"
    assert compiled == ["page"] * 2


def test_a_full_disk_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("atlas.templates.bytecode_cache.NamedTemporaryFile", fail)
    caplog.set_level(logging.DEBUG, "atlas.templates")
    assert environment(tmp_path, {"page": "{{ x }}"}).get_template("page").render(x=1) == "1"
    assert "No space left on device" in caplog.text


def test_the_oldest_files_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atlas.templates.bytecode_cache._MAX_FILES", 4)
    for number in range(6):
        (tmp_path / f"old{number}").write_text("")
        os.utime(tmp_path / f"old{number}", (number, number))
    made = environment(tmp_path, {"page": "{{ x }}"})
    made.get_template("page")
    assert sorted(each.name[:4] for each in tmp_path.iterdir())[-1] == "old5"
    assert len(list(tmp_path.iterdir())) == 2
    assert made.bytecode_cache is not None
    made.bytecode_cache.clear()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ATLAS_TEMPLATE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache_folder() == tmp_path / "atlas" / "templates"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_cache_folder() == tmp_path / ".cache" / "atlas" / "templates"
    monkeypatch.setenv("ATLAS_TEMPLATE_CACHE", str(tmp_path / "own"))
    assert user_cache_folder() == tmp_path / "own"
