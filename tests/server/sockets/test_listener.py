"""Sockets that listen, and the sentence when they can't."""

import errno
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from atlas.errors import StartupError
from atlas.server.configuration.settings import Settings
from atlas.server.sockets.listener import bind, close, describe, describe_all, set_options


@contextmanager
def bound(**values: object) -> Iterator[list[socket.socket]]:
    sockets = bind(Settings(**values))  # type: ignore[arg-type]
    try:
        yield sockets
    finally:
        close(sockets)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_tcp_on_a_free_port() -> None:
    with bound(port=0) as [sock]:
        host, port = sock.getsockname()
        assert (host, port > 0, sock.getblocking()) == ("127.0.0.1", True, False)
        assert describe(sock) == f"http://127.0.0.1:{port}"
        socket.create_connection((host, port)).close()


@pytest.mark.parametrize(
    ("seconds", "idle", "interval"), [(60.0, 60, 15), (1.0, 1, 1), (0.1, 1, 1), (1e6, 32767, 8191)]
)
def test_connections_inherit_the_options_of_tcp(seconds: float, idle: int, interval: int) -> None:
    settings = Settings(port=0, timeout_write=seconds)
    with bound(port=0) as [sock]:
        set_options(sock, settings)
        with socket.create_connection(sock.getsockname()):
            accepted, _ = sock.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            if hasattr(socket, "TCP_KEEPIDLE"):
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == idle
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == interval


def test_a_unix_socket_has_no_such_options(tmp_path: Path) -> None:
    with bound(uds=os.path.relpath(tmp_path / "s")) as [sock]:
        set_options(sock, Settings())


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")
def test_every_interface_is_ipv4_and_ipv6() -> None:
    for value in ("[::]:0", ":0", "*:0"):
        with bound(bind=value) as sockets:
            port = sockets[0].getsockname()[1]
            assert describe_all(sockets) == f"http://0.0.0.0:{port}, http://[::]:{port}"
            for host in ("127.0.0.1", "::1"):
                with socket.create_connection((host, port)) as client:
                    for sock in sockets:
                        sock.setblocking(False)
                    accepted = next(sock for sock in sockets if sock.family == client.family).accept()
                    assert accepted[1][0] == host  # IPv4 clients are not mapped to IPv6
                    accepted[0].close()
    with bound(host="::", port=0) as sockets:
        assert len(sockets) == 2


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")
@pytest.mark.parametrize("hosts", [("0.0.0.0", "[::]"), ("[::]", "0.0.0.0"), ("[::]", "[::]")])
def test_an_address_that_is_named_twice_is_bound_once(hosts: tuple[str, str]) -> None:
    with bound(port=0) as [free]:
        port = free.getsockname()[1]
    with bound(bind=[f"{host}:{port}" for host in hosts]) as sockets:
        assert sorted(sock.getsockname()[0] for sock in sockets) == ["0.0.0.0", "::"]


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")
def test_tcp_on_ipv6() -> None:
    with bound(host="::1", port=0) as [sock]:
        assert describe(sock) == f"http://[::1]:{sock.getsockname()[1]}"


def test_a_name_with_several_addresses_is_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, 1, 6, "", (f"127.0.0.{last}", 0)) for last in (1, 2, 1)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with bound(host="both.test", port=0) as sockets:
        names = [sock.getsockname() for sock in sockets]
    assert [name[0] for name in names] == ["127.0.0.1", "127.0.0.2"]
    assert names[0][1] == names[1][1] > 0


def test_an_address_the_machine_lacks_is_skipped_if_there_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, 1, 6, "", (host, 0)) for host in ("192.0.2.1", "127.0.0.1")]  # RFC 5737: a test address
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with bound(host="both.test", port=0) as [sock]:
        assert sock.getsockname()[0] == "127.0.0.1"


def test_a_free_port_is_free_on_all_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The port that the first address got may be in use on the second one: another one is tried."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.2", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = [(socket.AF_INET, 1, 6, "", ("127.0.0.1", port)), (socket.AF_INET, 1, 6, "", ("127.0.0.2", 0))]
        answers = [found, [(*each[:4], (each[4][0], 0)) for each in found]]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers.pop(0))
        with bound(host="both.test", port=0) as sockets:
            assert len({sock.getsockname()[1] for sock in sockets} - {port}) == 1


def test_several_addresses(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    given = socket.socket()
    given.bind(("127.0.0.1", 0))
    with bound(bind=["127.0.0.1:0", f"unix:{path}", f"fd://{given.detach()}"]) as sockets:
        first, _, third = sockets
        expected = f"http://127.0.0.1:{first.getsockname()[1]}, unix:{path}, http://127.0.0.1:{third.getsockname()[1]}"
        assert describe_all(sockets) == expected
        for sock in sockets:
            with socket.socket(sock.family) as client:
                client.connect(sock.getsockname())
    assert not path.exists()


def test_one_wrong_address_leaves_none_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    with bound(port=0) as [taken]:
        port = taken.getsockname()[1]
        message = rf"^--bind 127.0.0.1:{port} is already in use: choose another port"
        with pytest.raises(StartupError, match=message):
            bind(Settings(bind=[f"unix:{path}", f"127.0.0.1:{port}"]))  # type: ignore[arg-type]
    assert not path.exists()


def test_the_name_of_a_socket_that_systemd_did_not_pass() -> None:
    with pytest.raises(StartupError, match=r"^--bind fd://web: systemd has passed no socket of the name 'web'$"):
        bind(Settings(bind=("fd://web",)))


@pytest.mark.parametrize(
    ("port", "message"),
    [(80, r"^127\.0\.0\.1:80: permission denied: choose another --port, 1024 or more$"), (8000, "permission denied$")],
)
def test_an_address_that_is_not_permitted(port: int, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused(socket.socket):  # the tests may run as root, for whom no port is refused
        def bind(self, address: object) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket, "socket", Refused)
    with pytest.raises(StartupError, match=message):
        bind(Settings(port=port))


def test_a_port_in_use() -> None:
    with bound(port=0) as [sock]:
        port = sock.getsockname()[1]
        with pytest.raises(StartupError, match=rf"^127.0.0.1:{port} is already in use: choose another --port"):
            bind(Settings(port=port))


def test_an_address_of_another_machine() -> None:
    with pytest.raises(StartupError, match=r"^--host 192\.0\.2\.1: this machine has no such address$"):
        bind(Settings(host="192.0.2.1", port=0))


def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(StartupError, match=r"^--host nowhere\.test: this name has no address$"):
        bind(Settings(host="nowhere.test"))


def test_a_descriptor_is_adopted() -> None:
    with socket.socket() as given:
        given.bind(("127.0.0.1", 0))
        with bound(fd=os.dup(given.fileno())) as [sock]:
            assert sock.getsockname() == given.getsockname()
            socket.create_connection(sock.getsockname()).close()


def test_the_file_of_an_adopted_unix_socket_stays(tmp_path: Path) -> None:
    path = tmp_path / "theirs.sock"
    with socket.socket(socket.AF_UNIX) as given:
        given.bind(str(path))
        with bound(fd=os.dup(given.fileno())):
            pass
    assert path.exists()


def test_descriptors_that_will_not_do() -> None:
    reading, writing = os.pipe()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        with pytest.raises(StartupError, match=rf"^--fd {reading}: this descriptor is not a socket$"):
            bind(Settings(fd=reading))
        with pytest.raises(StartupError, match="is not a stream socket"):
            bind(Settings(fd=datagrams.fileno()))
        assert datagrams.getsockname()  # still open: a descriptor that wasn't taken is left as it was
    os.close(reading)
    os.close(writing)
    with pytest.raises(StartupError, match="is not open"):
        bind(Settings(fd=reading))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has abstract sockets")
def test_an_abstract_socket_has_a_name() -> None:
    with socket.socket(socket.AF_UNIX) as given:
        given.bind(f"\0atlas-{os.getpid()}")
        assert describe(given) == f"unix:@atlas-{os.getpid()}"


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    path = tmp_path / "atlas.sock"
    sockets = bind(Settings(uds=str(path)))
    close(sockets)
    path.write_text("replaced")
    close(sockets)
    assert path.exists()
