"""Log lines: their look, their levels, and nothing from the wire that could forge one."""

import io
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atlas.server.configuration.settings import LOG_LEVELS, Settings
from atlas.server.logs.configuration import (
    TRACE,
    LevelFormatter,
    configure,
    enable_loggers,
    level_number,
    should_use_colors,
)
from tests.server.pipes import read_all


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """The logger ``atlas`` before it is configured."""
    logger = logging.getLogger("atlas")
    before = logger.handlers[:], logger.level, logger.propagate
    logger.handlers[:], logger.propagate = [], True
    yield logger
    logger.handlers[:], logger.propagate = before[0], before[2]
    logger.setLevel(before[1])


def line(level: int, message: str, *, use_colors: bool = False) -> str:
    return LevelFormatter(use_colors).format(logging.LogRecord("atlas", level, "", 0, message, (), None))


def test_the_look() -> None:
    logging.addLevelName(TRACE, "TRACE")
    assert line(logging.INFO, "started") == "INFO:     started"
    assert line(logging.CRITICAL, "gone") == "CRITICAL: gone"
    assert line(TRACE, "bytes") == "TRACE:    bytes"
    assert line(logging.INFO, "started", use_colors=True) == "\033[32mINFO\033[0m:     started"


def test_a_control_character_is_shown_and_a_second_line_is_indented() -> None:
    assert line(logging.INFO, "a\r\x1b[2J\x9bz") == "INFO:     a\\x0d\\x1b[2J\\x9bz"
    assert line(logging.INFO, "a\nINFO:     forged") == "INFO:     a\n          INFO:     forged"


def test_a_traceback_stays_as_it_is() -> None:
    try:
        raise ValueError("why")
    except ValueError as error:
        info = (ValueError, error, error.__traceback__)
    text = LevelFormatter(False).format(logging.LogRecord("atlas", logging.ERROR, "", 0, "failed", (), info))
    assert text.startswith("ERROR:    failed\nTraceback (most recent call last):\n")
    assert text.endswith("ValueError: why")


def test_every_level_has_a_number() -> None:
    numbers = [level_number(name) for name in LOG_LEVELS]
    assert numbers == sorted(numbers)
    assert numbers[0] == TRACE


def test_configure_writes_to_the_stream_once(logger: logging.Logger) -> None:
    old, new = io.StringIO(), io.StringIO()
    configure(Settings(), old)
    configure(Settings(log_level="warning"), new)
    logging.getLogger("atlas.server").info("silent")
    logging.getLogger("atlas.server").warning("heard")
    assert (old.getvalue(), new.getvalue()) == ("", "WARNING:  heard\n")
    assert len(logger.handlers) == 1
    assert not logger.propagate


def test_a_logger_that_the_application_set_up_is_left_alone(logger: logging.Logger) -> None:
    theirs = logging.NullHandler()
    logger.addHandler(theirs)
    configure(Settings(), io.StringIO())
    assert logger.handlers == [theirs]
    assert logger.propagate


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "wanted", "use_colors"),
    [
        (Terminal(), {}, None, True),
        (io.StringIO(), {}, None, False),
        (Terminal(), {}, False, False),
        (io.StringIO(), {}, True, True),
        (Terminal(), {"NO_COLOR": "1"}, None, False),
        (Terminal(), {"NO_COLOR": "1"}, True, True),
        (io.StringIO(), {"FORCE_COLOR": "1"}, None, True),
    ],
)
def test_colours(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, environ: dict[str, str], wanted: bool | None, use_colors: bool
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert should_use_colors(stream, wanted) is use_colors


def test_a_reader_that_stands_still_does_not_hold_a_log_line(logger: logging.Logger) -> None:
    reading, writing = os.pipe()
    with open(writing, "w") as stream:
        configure(Settings(), stream)
        for _ in range(20):
            logger.error("x" * 10_000)  # on a blocking pipe of 64 KiB
        text = b""
        for _ in range(3):
            text += read_all(reading)
            logger.handlers[0].flush()
    os.close(reading)
    lines = text.decode().splitlines()
    assert set(lines) == {"ERROR:    " + "x" * 10_000}


def test_loggers_that_a_configuration_has_disabled_are_enabled_again() -> None:
    names = ["atlas", "atlas.server", "atlas.web"]
    loggers = [logging.getLogger(name) for name in names]
    other = logging.getLogger("atlas_of_another_package")
    for logger in (*loggers, other):  # as logging.config.dictConfig() does, whose defaults would reach other tests
        logger.disabled = True
    enable_loggers()
    assert [logger.disabled for logger in loggers] == [False, False, False]
    assert other.disabled


def test_json_lines(logger: logging.Logger) -> None:
    stream = io.StringIO()
    configure(Settings(log_format="json"), stream)
    logging.getLogger("atlas.server").warning("a %s", "b")
    assert '"level": "warning", "logger": "atlas.server", "message": "a b"}' in stream.getvalue()


def test_a_log_file(logger: logging.Logger, tmp_path: Path) -> None:
    configure(Settings(log_file=tmp_path / "log"))
    logging.getLogger("atlas.server").warning("heard")
    configure(Settings())  # closes the file
    logging.getLogger("atlas.server").warning("not in the file")
    assert (tmp_path / "log").read_text() == "WARNING:  heard\n"


ERRORS_ONLY = '"loggers": {"atlas": {"handlers": ["file"], "level": "ERROR"}}'
CONFIG = """{"version": 1, "disable_existing_loggers": true,
    "handlers": {"file": {"class": "logging.FileHandler", "filename": "%s"}}, %s}"""


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = before
    root.setLevel(level)


@pytest.mark.parametrize(
    ("loggers", "flags", "expected"),
    [
        ('"loggers": {"atlas": {"handlers": ["file"], "level": "ERROR"}}', {}, "error\n"),
        (
            '"loggers": {"atlas": {"handlers": ["file"], "level": "ERROR"}}',
            {"log_level": "warning"},
            "warning\nerror\n",
        ),
        ('"root": {"handlers": ["file"]}', {}, "info\nwarning\nerror\n"),
        ('"loggers": {"atlas.server": {"level": "ERROR", "handlers": ["file"]}}', {}, "error\n"),
    ],
)
def test_a_file_decides(
    logger: logging.Logger, root: logging.Logger, tmp_path: Path, loggers: str, flags: dict[str, Any], expected: str
) -> None:
    server = logging.getLogger("atlas.server")
    root.handlers[:] = []
    (tmp_path / "logs.json").write_text(CONFIG % (tmp_path / "out", loggers))
    configure(Settings(log_config=tmp_path / "logs.json", **flags), io.StringIO())
    server.info("info")
    server.warning("warning")
    server.error("error")
    server.handlers[:] = []
    server.setLevel(logging.NOTSET)
    assert (tmp_path / "out").read_text() == expected


def test_a_file_without_handlers_leaves_the_one_of_atlas(
    logger: logging.Logger, root: logging.Logger, tmp_path: Path
) -> None:
    root.handlers[:] = []
    (tmp_path / "logs.json").write_text(CONFIG % (tmp_path / "out", '"loggers": {}'))
    stream = io.StringIO()
    configure(Settings(log_config=tmp_path / "logs.json"), stream)
    logging.getLogger("atlas.server").info("heard")
    assert stream.getvalue() == "INFO:     heard\n"
