"""The access log: batches, the one write, and handlers of the logging module."""

import asyncio
import io
import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from atlas.server.configuration.settings import Settings
from atlas.server.logs.access_formats import Record
from atlas.server.logs.access_log import AccessLog, is_enabled
from tests.server.pipes import read_all

LINE = 'INFO:     10.0.0.1:5 - "GET /{} HTTP/1.1" 200 OK\n'


def record(target: bytes = b"/0") -> Record:
    return (("10.0.0.1", 5), "GET", target, "1.1", 200, 2, 0.0, 0.0, [], None)


class Loop:
    """Just the clock of a loop: it keeps what is armed and runs it when told."""

    def __init__(self) -> None:
        self.armed: list[Any] = []

    def call_later(self, delay: float, callback: Any) -> Any:
        loop = self

        class Timer:
            def cancel(self) -> None:
                if self in loop.armed:
                    loop.armed.remove(self)

            def run(self) -> None:
                loop.armed.remove(self)
                callback()

        self.armed.append(Timer())
        return self.armed[-1]


@pytest.fixture
def loop() -> Any:
    return Loop()


def test_one_timer_for_a_batch(loop: Any) -> None:
    stream = io.StringIO()
    log = AccessLog(loop, Settings(), stream)
    for number in range(3):
        log.records.append(record(b"/%d" % number))
        log.wake()
    assert len(loop.armed) == 1
    assert stream.getvalue() == ""
    loop.armed[0].run()
    assert stream.getvalue() == "".join(LINE.format(number) for number in range(3))
    assert loop.armed == []


def test_the_list_stays_the_same_object(loop: Any) -> None:
    log = AccessLog(loop, Settings(), io.StringIO())
    records = log.records
    records.append(record())
    log.flush()
    assert log.records is records
    assert records == []


def test_a_flush_by_hand_disarms_the_timer(loop: Any) -> None:
    stream = io.StringIO()
    log = AccessLog(loop, Settings(), stream)
    log.records.append(record())
    log.wake()
    log.close()
    log.close()
    assert loop.armed == []
    assert stream.getvalue() == LINE.format(0)


def test_it_wakes_again_after_a_flush(loop: Any) -> None:
    log = AccessLog(loop, Settings(), io.StringIO())
    log.wake()
    loop.armed[0].run()
    log.wake()
    assert len(loop.armed) == 1


def test_on_a_real_loop() -> None:
    stream = io.StringIO()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        log = AccessLog(loop, Settings(), stream)
        flushed = asyncio.Event()
        log._write = lambda text: (stream.write(text), flushed.set())  # type: ignore[assignment, func-returns-value]
        log.records.append(record())
        log.wake()
        await asyncio.wait_for(flushed.wait(), 5)

    asyncio.run(main())
    assert stream.getvalue() == LINE.format(0)


# ------------------------------------------------------------------------------------------------- the descriptor


@contextmanager
def pipe() -> Iterator[tuple[int, io.TextIOWrapper]]:
    reading, writing = os.pipe()
    with open(writing, "w") as stream:
        yield reading, stream
    os.close(reading)


def test_a_batch_is_one_write(loop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def write(descriptor: int, data: bytes) -> int:
        written.append(data)
        return len(data)

    with pipe() as (_, stream):
        log = AccessLog(loop, Settings(), stream)
        log.records.extend([record()] * 100)
        monkeypatch.setattr(os, "write", write)
        log.flush()
        monkeypatch.undo()
    assert written == [LINE.format(0).encode() * 100]


def test_the_rest_of_a_short_write_follows(loop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    with pipe() as (reading, stream):
        log = AccessLog(loop, Settings(), stream)
        log.records.append(record())
        monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:7]))
        log.flush()
        monkeypatch.undo()
        assert os.read(reading, 1000).decode() == LINE.format(0)


def test_a_full_pipe_loses_lines_but_never_waits(loop: Any, caplog: pytest.LogCaptureFixture) -> None:
    with pipe() as (_, stream):
        os.set_blocking(stream.fileno(), False)
        log = AccessLog(loop, Settings(), stream)
        log.records.extend([record()] * 5000)
        with caplog.at_level(logging.WARNING, "atlas.server"):
            log.flush()
    assert "lines of the access log were dropped" in caplog.text


def test_a_closed_pipe_ends_the_log_with_one_warning(loop: Any, caplog: pytest.LogCaptureFixture) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as stream, caplog.at_level(logging.WARNING, "atlas.server"):
        log = AccessLog(loop, Settings(), stream)
        for _ in range(3):
            log.records.append(record())
            log.flush()
    assert [message for message in caplog.messages if "the access log is disabled" in message] == caplog.messages
    assert len(caplog.messages) == 1


def test_a_slow_reader_gets_what_was_kept_and_the_log_goes_on(loop: Any, caplog: pytest.LogCaptureFixture) -> None:
    with pipe() as (reading, stream), caplog.at_level(logging.WARNING, "atlas.server"):
        log = AccessLog(loop, Settings(), stream)
        for _ in range(2):
            log.records.extend([record()] * 5000)
            log.flush()  # on a blocking descriptor: it would wait for ever
        assert len(caplog.messages) == 1
        assert "lines of the access log were dropped" in caplog.text
        kept = b""
        while loop.armed:
            kept += read_all(reading)
            loop.armed[0].run()
        kept += read_all(reading)
        log.records.append(record(b"/after"))
        log.flush()
        kept += read_all(reading)
    lines = kept.decode().splitlines(keepends=True)
    assert set(lines[:-1]) == {LINE.format(0)}
    assert lines[-1] == LINE.format("after")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_after_a_full_disk_has_room_again_the_log_goes_on(
    loop: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open("/dev/full", "w") as stream, caplog.at_level(logging.WARNING, "atlas.server"):
        log = AccessLog(loop, Settings(), stream)
        for _ in range(3):
            log.records.append(record())
            log.flush()
        assert len(caplog.messages) == 1
        assert "No space left on device" in caplog.text
        with open(tmp_path / "log", "wb") as room:
            os.dup2(room.fileno(), stream.fileno())
        log.records.append(record(b"/after"))
        log.flush()
    assert (tmp_path / "log").read_text() == LINE.format(0) * 3 + LINE.format("after")
    assert not loop.armed


def test_without_standard_output_there_is_no_log(loop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    log = AccessLog(loop, Settings())
    log.records.append(record())
    log.close()
    assert not log.records


# ------------------------------------------------------------------------------------------------------- handlers


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture
def handler() -> Iterator[Kept]:
    handler = Kept()
    logger = logging.getLogger("atlas.access")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def test_a_handler_gets_each_line_instead(loop: Any, handler: Kept) -> None:
    stream = io.StringIO()
    log = AccessLog(loop, Settings(use_colors=True), stream)
    log.records.extend([record(), record(b"/100%25s")])
    log.flush()
    assert handler.messages == ['10.0.0.1:5 - "GET /0 HTTP/1.1" 200 OK', '10.0.0.1:5 - "GET /100%25s HTTP/1.1" 200 OK']
    assert stream.getvalue() == ""


def test_a_record_has_the_fields_as_attributes(loop: Any, handler: Kept) -> None:
    log = AccessLog(loop, Settings(), io.StringIO())
    assert not log.takes_lines
    kept = []
    handler.emit = kept.append  # type: ignore[assignment, method-assign]
    log.records.append(record(b"/a?b"))
    log.close()
    (made,) = kept
    assert (made.client, made.method, made.path, made.query) == ("10.0.0.1", "GET", "/a", "b")
    assert (made.status, made.bytes, made.duration_ms, made.request_id) == (200, 2, 0.0, None)


def test_a_logger_above_info_gets_nothing(loop: Any, handler: Kept) -> None:
    logging.getLogger("atlas.access").setLevel(logging.WARNING)
    log = AccessLog(loop, Settings(), io.StringIO())
    log.records.append(record())
    log.flush()
    assert handler.messages == []


# ------------------------------------------------------------------------------------------------------- settings


def test_the_format_of_the_settings(loop: Any) -> None:
    stream = io.StringIO()
    log = AccessLog(loop, Settings(access_log_format="%(m)s %(s)s"), stream)
    log.records.append(record())
    log.flush()
    assert stream.getvalue() == "GET 200\n"


@pytest.mark.parametrize(
    ("settings", "there"),
    [
        (Settings(), True),
        (Settings(log_level="trace"), True),
        (Settings(access_log=False), False),
        (Settings(log_level="warning"), False),
    ],
)
def test_wanted(settings: Settings, there: bool) -> None:
    assert is_enabled(settings) is there


def test_a_file(loop: Any, tmp_path: Path) -> None:
    log = AccessLog(loop, Settings(access_log_file=tmp_path / "log"))
    log.records.append(record())
    log.close()
    assert (tmp_path / "log").read_text() == LINE.format(0)


def test_json_by_the_format_of_the_log(loop: Any) -> None:
    stream = io.StringIO()
    log = AccessLog(loop, Settings(log_format="json"), stream)
    assert not log.takes_lines
    log.records.append(record())
    log.close()
    assert json.loads(stream.getvalue())["path"] == "/0"


def test_the_rest_is_written_from_any_thread(loop: Any) -> None:
    stream = io.StringIO()
    log = AccessLog(loop, Settings(), stream)
    records = log.records
    records.append(record())
    thread = threading.Thread(target=log.write_rest)
    thread.start()
    thread.join()
    assert not records
    assert stream.getvalue() == LINE.format(0)
