"""Sockets that systemd passes, as variables and descriptors, and from the real systemd-socket-activate."""

import contextlib
import http.client
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atlas.errors import StartupError
from atlas.server.configuration.settings import Settings
from atlas.server.systemd.socket_activation import PassedSocket, take_passed_sockets, use_passed_sockets

PATIENCE = 30.0
APP = """
import os

async def app(scope, receive, send):
    if scope["type"] == "http":
        body = ",".join(name for name in os.environ if name.startswith("LISTEN_")).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})
"""


def passed(count: object, names: str = "", pid: int | None = None) -> dict[str, str]:
    """The variables that systemd sets."""
    return {"LISTEN_PID": str(pid or os.getpid()), "LISTEN_FDS": str(count), "LISTEN_FDNAMES": names, "HOME": "/"}


def test_sockets_take_the_place_of_host_and_port() -> None:
    environ = passed(2, "web:admin")
    settings = use_passed_sockets(Settings(host="::1", port=80), environ)
    assert settings.bind == ("fd://3", "fd://4")
    assert environ == {"HOME": "/"}


def test_a_name_chooses_sockets() -> None:
    settings = Settings(bind=("fd://web", "127.0.0.1:80", "fd://5"))
    assert use_passed_sockets(settings, passed(3, "web:web:admin")).bind == (
        "fd://3",
        "fd://4",
        "127.0.0.1:80",
        "fd://5",
    )


def test_a_socket_for_metrics_serves_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    settings = use_passed_sockets(Settings(metrics="fd://metrics"), passed(3, "web:metrics:web"))
    assert (settings.bind, settings.metrics) == (("fd://3", "fd://5"), "fd://4")
    settings = use_passed_sockets(Settings(metrics="fd://4", bind=("fd://web",)), passed(2, "web:metrics"))
    assert (settings.bind, settings.metrics) == (("fd://3",), "fd://4")
    assert not caplog.messages
    with pytest.raises(StartupError, match="^--metrics fd://a: systemd has passed no socket of this name, but: web$"):
        use_passed_sockets(Settings(metrics="fd://a"), passed(1, "web"))


def test_a_name_that_was_not_passed() -> None:
    message = "^--bind fd://web: systemd has passed no socket of this name, but: admin, atlas.socket$"
    with pytest.raises(StartupError, match=message):
        use_passed_sockets(Settings(bind=("fd://web",)), passed(2, "admin:atlas.socket"))


@pytest.mark.parametrize("given", [{"fd": 3}, {"bind": ("fd://3",)}, {"bind": ("fd://web",)}])
def test_sockets_that_are_not_served_are_named(given: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "atlas.server"):
        use_passed_sockets(Settings(**given), passed(2, "web:admin"))
    assert "not served: 4 (admin)" in caplog.text


@pytest.mark.parametrize("environ", [{}, passed(1, pid=1), {"LISTEN_FDS": "1"}])
def test_the_sockets_of_another_process_are_left_alone(environ: dict[str, str]) -> None:
    before = dict(environ)
    settings = Settings()
    assert use_passed_sockets(settings, environ) is settings
    assert environ == before


def test_names_may_be_missing() -> None:
    assert take_passed_sockets(passed(2, "web")) == [PassedSocket(3, "web"), PassedSocket(4, "")]


@pytest.mark.parametrize("count", ["", "x", "-1"])
def test_a_count_that_is_no_number(count: str) -> None:
    with pytest.raises(StartupError, match=f"^LISTEN_FDS: expected the number of sockets .*, got '{count}'$"):
        take_passed_sockets(passed(count))


def test_a_connection_is_not_a_listening_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = socket.socketpair()
    monkeypatch.setattr("atlas.server.systemd.socket_activation._FIRST", ends[0].fileno())
    try:
        with pytest.raises(StartupError, match=r"not a listening socket: the unit needs Accept=no$"):
            use_passed_sockets(Settings(), passed(1))
        assert not os.get_inheritable(ends[0].fileno())
    finally:
        for end in ends:
            end.close()


# ----------------------------------------------------------------------------------------- systemd-socket-activate


@contextlib.contextmanager
def activated(folder: Path, addresses: list[str], names: list[str], *flags: str) -> Iterator[subprocess.Popen[str]]:
    """``atlas serve``, started by the first connection to one of the addresses."""
    program = shutil.which("systemd-socket-activate")
    if program is None:
        pytest.skip("systemd-socket-activate is not installed on this machine")
    (folder / "main.py").write_text(APP)
    options = [f"--listen={address}" for address in addresses] + [f"--fdname={':'.join(names)}"]
    options += [f"--setenv={name}" for name in ("PATH", "PYTHONPATH") if name in os.environ]
    command = [sys.executable, "-m", "atlas", "serve", "main:app", "--lifespan", "off", "--no-access-log", *flags]
    with subprocess.Popen([program, *options, *command], cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        try:
            for address in addresses:
                wait_for_line(process, rf"Listening on {re.escape(address)}")
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=PATIENCE)
            assert process.returncode == 0


def wait_for_line(process: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if match := re.search(pattern, line):
            return match
    raise AssertionError(f"no line {pattern!r} in:\n{''.join(lines)}")


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(self.path))


def get(connection: http.client.HTTPConnection) -> bytes:
    with contextlib.closing(connection):
        connection.request("GET", "/", headers={"connection": "close"})
        response = connection.getresponse()
        assert response.status == 200
        return response.read()


@pytest.mark.parametrize("workers", [1, 2])
def test_activated_by_systemd(tmp_path: Path, workers: int) -> None:
    path = tmp_path / "a.sock"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    addresses = [f"127.0.0.1:{port}", str(path)]
    with activated(tmp_path, addresses, ["web", "local"], "--workers", str(workers)) as process:
        # The first connection starts the server, and is served by it. No child gets the variables.
        assert get(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) == b""
        line = wait_for_line(process, r"serving on (.*) \(press")
        assert line[1] == f"http://127.0.0.1:{port}, unix:{path}"
        assert get(UnixConnection(path)) == b""
    assert path.exists()  # it belongs to systemd


def test_a_name_of_an_activated_socket(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a", "b")]
    with activated(tmp_path, list(map(str, paths)), ["one", "two"], "--bind", "fd://two") as process:
        assert get(UnixConnection(paths[1])) == b""
        lines = wait_for_line(process, r"not served: 3 \(one\)"), wait_for_line(process, r"serving on (.*) \(press")
        assert lines[1][1] == f"unix:{paths[1]}"
