"""Unix sockets: their files come and go, and never those of others."""

import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from atlas.errors import StartupError
from atlas.server.configuration.settings import Settings
from atlas.server.sockets.listener import bind, close, describe
from atlas.server.sockets.unix_socket import bind_unix


@contextmanager
def bound(**values: object) -> Iterator[list[socket.socket]]:
    sockets = bind(Settings(**values))  # type: ignore[arg-type]
    try:
        yield sockets
    finally:
        close(sockets)


def test_unix_comes_and_goes(tmp_path: Path) -> None:
    path = tmp_path / "atlas.sock"
    with bound(uds=str(path)) as [sock]:
        assert describe(sock) == f"unix:{path}"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
    assert not path.exists()


def test_a_unix_socket_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "atlas.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with bound(uds=str(path)), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_unix_socket_that_answers_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "atlas.sock"
    with bound(uds=str(path)):
        with pytest.raises(StartupError, match="is already in use: another server listens on it"):
            bind(Settings(uds=str(path)))
        assert path.exists()


def test_a_file_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("mine")
    with pytest.raises(StartupError, match="this file exists and is not a socket"):
        bind(Settings(uds=str(path)))
    assert path.read_text() == "mine"


def test_unix_in_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="--uds .*: cannot listen: No such file"):
        bind(Settings(uds=str(tmp_path / "none" / "atlas.sock")))


@pytest.mark.parametrize(("mode", "expected"), [(None, 0o666), ("660", 0o660), (0o600, 0o600)])
def test_the_permissions_of_the_file(mode: object, expected: int, tmp_path: Path) -> None:
    path = tmp_path / "atlas.sock"
    settings = {} if mode is None else {"uds_mode": mode}
    for where in ({"uds": str(path)}, {"bind": (f"unix:{path}",)}):
        with bound(**where, **settings):
            assert stat.S_IMODE(path.stat().st_mode) == expected


def test_a_server_whose_accept_queue_is_full_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "atlas.sock"
    with bound(uds=str(path), backlog=1):
        clients = [socket.socket(socket.AF_UNIX) for _ in range(4)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(str(path))
        with pytest.raises(StartupError, match="is already in use: another server listens on it"):
            bind(Settings(uds=str(path)))
        for client in clients:
            client.close()


def test_a_file_that_another_server_has_made_since_stays(tmp_path: Path) -> None:
    path = tmp_path / "atlas.sock"
    old = bind_unix(str(path), 0o666, 8, "--uds")
    path.rename(tmp_path / "away")  # so that the file of the next one has another inode
    with bound(uds=str(path)), socket.socket(socket.AF_UNIX) as client:
        old.close()
        client.connect(str(path))


def test_a_server_that_starts_while_another_one_closes_keeps_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "atlas.sock"
    old = bind_unix(str(path), 0o666, 8, "--uds")
    close_socket = socket.socket.close
    made: list[socket.socket] = []

    def close_then_start(sock: socket.socket) -> None:
        close_socket(sock)
        if sock is old:
            made.append(bind_unix(str(path), 0o666, 8, "--uds"))

    monkeypatch.setattr(socket.socket, "close", close_then_start)
    old.close()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    close(made)
    assert not path.exists()


def test_servers_that_start_at_once_do_not_remove_each_others_files(tmp_path: Path) -> None:
    path = tmp_path / "atlas.sock"
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
        made: list[socket.socket] = []
        start = threading.Barrier(4)

        def begin(made: list[socket.socket] = made, start: threading.Barrier = start) -> None:
            start.wait()
            try:
                made.append(bind_unix(str(path), 0o666, 8, "--uds"))
            except StartupError:
                pass

        threads = [threading.Thread(target=begin) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(made) == 1
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
        close(made)


def test_a_directory_that_is_locked_by_another_program_is_not_waited_for_long(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with bound(uds=str(tmp_path / "atlas.sock")):
        os.close(descriptor)


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="^--uds .*: cannot listen: AF_UNIX path too long$"):
        bind(Settings(uds=str(tmp_path / ("a" * 200))))
