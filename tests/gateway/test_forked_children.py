"""The end of a forked child process that returns to the server of its parent."""

import os
import sys

import pytest

from atlas.gateway.forked_children import end_child


def ended_by(error: BaseException | None) -> int:
    if (pid := os.fork()) == 0:
        end_child(error)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, 1),
        (ValueError("broken"), 1),
        (SystemExit(), 0),
        (SystemExit(0), 0),
        (SystemExit(3), 3),
        (SystemExit(-1), 255),
        (SystemExit("no database"), 1),
    ],
)
def test_the_status_is_that_of_sys_exit(error: BaseException | None, status: int) -> None:
    assert ended_by(error) == status


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (None, ["a forked process has returned to the server of its parent, and ends: end it with os._exit()"]),
        (SystemExit("no database"), ["a forked process ends: no database"]),
        (SystemExit(2), []),
    ],
)
def test_the_reason_is_logged(
    error: BaseException | None,
    lines: list[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "_exit", lambda status: None)
    end_child(error)
    assert caplog.messages == lines


def test_what_was_printed_is_written(capfd: pytest.CaptureFixture[str]) -> None:
    if (pid := os.fork()) == 0:
        sys.stdout = os.fdopen(os.dup(1), "w")
        sys.stdout.write("kept in a buffer")
        end_child(SystemExit())
    os.waitpid(pid, 0)
    assert "kept in a buffer" in capfd.readouterr().out
