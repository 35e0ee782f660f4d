"""Runs the commands of a page, in the folder of the page.

``atlas serve`` runs in the background, on a free port instead of 8000, until its block ends. Then it is stopped,
and has to exit with status 0.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Console", "ConsoleBlock"]

_SECONDS = 60
_STATUS = re.compile(r"# exit status (\d+)$")
_NOT_RUN = {
    r"(python -m )?pip install|python -m venv|\. \.venv|sudo|apt-get": "it changes the machine that the tests run on",
    r"git clone": "it needs a network",
    r"make ": "it runs the tests itself",
    r"ab |wrk ": "it is a load test",
}


class Console:
    """The folder and the environment of a shell.

    :ivar folder: the folder in which commands run; ``cd`` changes it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        programs = Path(sys.executable).parent
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(("ATLAS_", "PYTEST"))}
        self.environment.update(
            PATH=f"{programs}:{os.environ['PATH']}",
            PYTHONDONTWRITEBYTECODE="1",
            PYTHONUNBUFFERED="1",
            # An installed Atlas registers the plugin. This way it is loaded once, installed or not.
            PYTEST_ADDOPTS="-p no:atlas -p atlas.testing.plugin -p no:cacheprovider",
        )

    def run(self, command: str) -> str:
        """Run a command and return its output. A comment ``# exit status 1`` has the expected status.

        :raises AssertionError: if the exit status is another one.
        """
        if command.startswith("cd "):
            self.folder = (self.folder / command.removeprefix("cd ")).resolve()
            os.chdir(self.folder)
            return ""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
        )
        expected = _STATUS.search(command)
        assert done.returncode == (int(expected[1]) if expected else 0), f"$ {command}\n{done.stdout}"
        return done.stdout

    @contextmanager
    def block(self) -> Iterator[ConsoleBlock]:
        """Yield a runner for the commands of one block, and stop its server at the end."""
        block = ConsoleBlock(self)
        try:
            yield block
        finally:
            block.end()


class ConsoleBlock:
    """The commands of one block. A server that one of them starts serves the later ones."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._port: int | None = None
        self._server: subprocess.Popen[str] | None = None

    @staticmethod
    def reason_against(command: str) -> str | None:
        """Return why a command is not run; None if it is run."""
        return next((reason for pattern, reason in _NOT_RUN.items() if re.match(pattern, command)), None)

    def run(self, command: str) -> str:
        """Run a command and return its output, with 8000 in the place of the port."""
        if re.match(r"(ATLAS_\w+=\S+ )*atlas serve(?!.*--help)", command):
            return self._serve(command)
        if self._port is None:
            return self._console.run(command)
        return self._console.run(command.replace(":8000", f":{self._port}")).replace(f":{self._port}", ":8000")

    def _serve(self, command: str) -> str:
        self.end()
        self._port = _free_port()
        self._server = subprocess.Popen(
            ["bash", "-c", re.sub(r"\batlas serve", "exec atlas serve", command, count=1)],
            cwd=self._console.folder,
            env={**self._console.environment, "ATLAS_SERVE_PORT": str(self._port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        output = ""
        watch = threading.Timer(_SECONDS, self._server.kill)
        watch.start()
        try:
            assert self._server.stdout is not None
            for line in self._server.stdout:
                output += line
                if "serving on" in line:
                    return output.replace(f":{self._port}", ":8000")
        finally:
            watch.cancel()
        raise AssertionError(f"$ {command}\n{output}")

    def end(self) -> None:
        """Stop the server.

        :raises AssertionError: if its exit status is not 0.
        """
        server, self._server = self._server, None
        if server is not None:
            server.send_signal(signal.SIGTERM)
            output, _ = server.communicate(timeout=_SECONDS)
            assert server.returncode == 0, output


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
