"""The service manager's end of sd_notify(3), for tests: a socket whose messages can be waited for."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

PATIENCE = 30.0


class ServiceManager:
    """``address`` is the value of ``NOTIFY_SOCKET``."""

    def __init__(self, sock: socket.socket, address: str) -> None:
        self.address = address
        self._sock = sock
        sock.settimeout(PATIENCE)

    def message(self) -> dict[str, str]:
        """Wait for the next message."""
        pairs = [line.partition("=") for line in self._sock.recv(65536).decode().splitlines()]
        assert len({name for name, _, _ in pairs}) == len(pairs)
        return {name: value for name, _, value in pairs}

    def message_with(self, name: str) -> dict[str, str]:
        """Wait for a message that has a name; those before it are signs of life."""
        while True:
            message = self.message()
            if name in message:
                return message
            assert message == {"WATCHDOG": "1"}, message

    def is_silent_for(self, seconds: float) -> bool:
        self._sock.settimeout(seconds)
        try:
            self._sock.recv(65536)
        except TimeoutError:
            return True
        finally:
            self._sock.settimeout(PATIENCE)
        return False


@contextlib.contextmanager
def service_manager(address: str) -> Iterator[ServiceManager]:
    """A manager at a path, or at ``@`` and a name."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + address[1:] if address.startswith("@") else address)
        yield ServiceManager(sock, address)
