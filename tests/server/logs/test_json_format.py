"""Log records as JSON."""

import json
import logging

from atlas.server.logs.json_format import JSONFormatter, utc_time


def test_a_record() -> None:
    record = logging.LogRecord("atlas.server", logging.WARNING, "", 0, 'a "%s"\n', ("b\x1b",), None)
    record.created = 1700000000.25
    text = JSONFormatter().format(record)
    assert text.isascii()
    assert "\n" not in text
    assert json.loads(text) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "warning",
        "logger": "atlas.server",
        "message": 'a "b\x1b"\n',
    }


def test_an_exception_and_a_stack() -> None:
    error = ValueError("wrong")
    record = logging.LogRecord("atlas", logging.ERROR, "", 0, "failed", (), (ValueError, error, None), sinfo="stack")
    line = json.loads(JSONFormatter().format(record))
    assert line["exception"] == "ValueError: wrong"
    assert line["stack"] == "stack"


def test_a_time() -> None:
    assert utc_time(0.9999) == "1970-01-01T00:00:00.999Z"
