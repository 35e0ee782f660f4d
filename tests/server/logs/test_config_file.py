"""``--log-config``: each kind of file, and one line for each that is wrong."""

import builtins
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atlas.errors import StartupError
from atlas.server.logs.config_file import apply

CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(name)s %(message)s"}},
    "handlers": {"file": {"class": "logging.FileHandler", "filename": "out", "formatter": "plain"}},
    "loggers": {"atlas_of_a_test": {"handlers": ["file"], "level": "INFO"}},
}
YAML = """
version: 1
disable_existing_loggers: false
formatters: {plain: {format: "%(name)s %(message)s"}}
handlers: {file: {class: logging.FileHandler, filename: out, formatter: plain}}
loggers: {atlas_of_a_test: {handlers: [file], level: INFO}}
"""
TOML = """
version = 1
disable_existing_loggers = false
formatters.plain.format = "%(name)s %(message)s"
handlers.file = {class = "logging.FileHandler", filename = "out", formatter = "plain"}
loggers.atlas_of_a_test = {handlers = ["file"], level = "INFO"}
"""
INI = """
[loggers]
keys = root, test

[handlers]
keys = file

[formatters]
keys = plain

[logger_root]
handlers =

[logger_test]
qualname = atlas_of_a_test
level = INFO
handlers = file

[handler_file]
class = FileHandler
args = ("out",)
formatter = plain

[formatter_plain]
format = %(name)s %(message)s
"""
FILES = {"a.json": json.dumps(CONFIG), "a.yaml": YAML, "a.YML": YAML, "a.toml": TOML, "a.ini": INI, "logging.conf": INI}


@pytest.fixture(autouse=True)
def logger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    logger = logging.getLogger("atlas_of_a_test")
    yield logger
    for handler in logger.handlers[:]:
        logger.removeHandler(handler)
        handler.close()
    root.handlers[:] = kept
    root.setLevel(level)


@pytest.mark.parametrize("name", FILES)
def test_each_kind_of_file(name: str, tmp_path: Path, logger: logging.Logger) -> None:
    existing = logging.getLogger("another_of_a_test")
    (tmp_path / name).write_text(FILES[name])
    apply(name)
    logger.info("hello")
    assert (tmp_path / "out").read_text() == "atlas_of_a_test hello\n"
    assert not existing.disabled


WRONG = {
    "none.json": (None, "none.json: No such file or directory"),
    "a.json": ("{", "cannot be parsed: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    "b.json": ("[]", "expected a dictionary as for logging.config.dictConfig(), got []"),
    "c.json": ("{}", "dictionary doesn't specify a version"),
    "d.json": (
        json.dumps({"version": 1, "handlers": {"x": {"class": "none.Such"}}}),
        "Unable to configure handler 'x': Cannot resolve 'none.Such': No module named 'none'",
    ),
    "a.toml": ("a", "cannot be parsed: Expected '=' after a key in a key/value pair (at end of document)"),
    "a.yaml": ("a: [", "while parsing a flow node"),
    "a.ini": ("a", "cannot be parsed: File contains no section headers"),
    "b.ini": ("[a]", "expected a section [formatters], or the suffix .json, .yaml, .yml or .toml"),
    "c.ini": (INI.replace("[handler_file]", "[other]"), "'handler_file' is missing"),
    "d.ini": ("\udcff", "can't decode byte"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_one_line(name: str, tmp_path: Path) -> None:
    text, message = WRONG[name]
    if text is not None:
        (tmp_path / name).write_text(text, errors="surrogateescape")
    with pytest.raises(StartupError) as raised:
        apply(name)
    assert str(raised.value).startswith(f"--log-config {name}: ")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_without_pyyaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def fail(name: str, *arguments: Any) -> Any:
        if name == "yaml":
            raise ImportError
        return real(name, *arguments)

    (tmp_path / "a.yaml").write_text(YAML)
    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(StartupError, match=r"needs PyYAML, which is not installed \(pip install pyyaml\)$"):
        apply("a.yaml")


def test_a_file_for_uvicorn_gets_a_hint(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    loggers = {"uvicorn.access": {"level": "INFO"}}
    (tmp_path / "a.json").write_text(json.dumps(CONFIG | {"loggers": loggers}))
    with caplog.at_level(logging.WARNING, "atlas.server"):
        apply("a.json")
    assert "it names loggers of uvicorn: those of Atlas are atlas, atlas.server and atlas.access" in caplog.text
