"""The servers and their command lines. Each gets one worker and its fastest documented set-up.

Stario is not among them: it has a server of its own and runs no ASGI applications.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.side_by_side.scenarios import Scenario

APPS = "bench.side_by_side.apps"
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Job:
    """One start of one server: scenario, port, with or without access log, and a directory to put files in."""

    scenario: Scenario
    port: int
    directory: Path
    logged: bool = False

    @property
    def target(self) -> str:
        return f"{APPS}:{self.scenario.app}"


@dataclass(frozen=True, slots=True)
class Server:
    """A server: ``missing()`` says what to install, or None; ``command(job)`` is its command line.

    A ``baseline`` runs no Python: it runs only the scenarios that name it. ``only`` limits a server to some scenarios.
    """

    name: str
    missing: Callable[[], str | None]
    command: Callable[[Job], list[str]]
    baseline: bool = False
    can_log: bool = False
    only: frozenset[str] | None = None

    def takes(self, scenario: Scenario) -> bool:
        """Whether this server runs the scenario."""
        if self.baseline:
            return self.name in scenario.baselines
        if self.only is not None:
            return scenario.name in self.only
        return self.can_log or not scenario.logged


def module_missing(name: str, advice: str) -> Callable[[], str | None]:
    """Make a ``missing()`` that looks for a module without importing it."""

    def missing() -> str | None:
        try:
            found = importlib.util.find_spec(name) is not None
        except ModuleNotFoundError:
            found = False
        return None if found else advice

    return missing


def _program(name: str, advice: str) -> Callable[[], str | None]:
    return lambda: None if shutil.which(name) else advice


def _log_flag(job: Job) -> str:
    return "--access-log" if job.logged else "--no-access-log"


def _atlas(job: Job) -> list[str]:
    return [
        sys.executable, "-m", "atlas", "serve", job.target, "--host", "127.0.0.1", "--port", str(job.port),
        "--lifespan", "off", _log_flag(job),
    ]  # fmt: skip


def _uvicorn(job: Job) -> list[str]:
    return [
        sys.executable, "-m", "uvicorn", job.target, "--host", "127.0.0.1", "--port", str(job.port), "--workers", "1",
        "--loop", "uvloop", "--http", "httptools", "--lifespan", "off", _log_flag(job),
    ]  # fmt: skip


def _granian(job: Job) -> list[str]:
    # asginl is granian's ASGI without lifespan; told that it is HTTP/1 without WebSocket, it does not have to find out.
    # Its back pressure counts connections and would stop accepting at a thousand.
    return [
        sys.executable, "-m", "granian", job.target, "--host", "127.0.0.1", "--port", str(job.port), "--workers", "1",
        "--interface", "asginl", "--loop", "uvloop", "--http", "1", "--no-ws",
        "--backlog", "2048", "--backpressure", "8192", _log_flag(job),
    ]  # fmt: skip


def _h2corn(job: Job) -> list[str]:
    # The sockets are served by Tokio; all its threads share the one core of the server.
    return [
        sys.executable, "-m", "h2corn", job.target, "--bind", f"127.0.0.1:{job.port}", "--workers", "1",
        "--loop", "uvloop", "--lifespan", "off", "--backlog", "2048", _log_flag(job),
    ]  # fmt: skip


def _gunicorn(job: Job) -> list[str]:
    # The ASGI worker on uvloop, with the C parser where it is installed (pip install 'gunicorn[fast]'). The keep-alive
    # time-out of 2 s and the limit of 1,000 connections are raised to what the other servers have; the access log is
    # off unless a file is named.
    words = [
        sys.executable, "-m", "gunicorn", job.target, "--bind", f"127.0.0.1:{job.port}", "--workers", "1",
        "--worker-class", "asgi", "--asgi-loop", "uvloop", "--asgi-lifespan", "off", "--http-parser", "auto",
        "--keep-alive", "75", "--worker-connections", "8192", "--backlog", "2048", "--log-level", "warning",
    ]  # fmt: skip
    return [*words, "--access-logfile", "-"] if job.logged else words


NGINX = """
daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log stderr error; {user}
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 75s; default_type text/plain;
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
    server {{ listen 127.0.0.1:{port} backlog=2048; location / {{ return 200 "{answer}"; }} }}
}}
"""


def _nginx(job: Job) -> list[str]:
    # As root, nginx would hand its worker to a user that may not read the directory.
    user = "user root;" if os.geteuid() == 0 else ""
    text = NGINX.format(directory=job.directory, port=job.port, user=user, answer=job.scenario.answer.decode("ascii"))
    file = job.directory / f"nginx-{job.port}.conf"
    file.write_text(text)
    return [shutil.which("nginx") or "nginx", "-e", "stderr", "-c", str(file)]


def _floor(job: Job) -> list[str]:
    program = job.directory / "floor"
    if not program.exists():
        subprocess.run(["cc", "-O2", "-o", str(program), str(HERE / "floor.c")], check=True)
    scenario = job.scenario
    numbers = (job.port, len(scenario.body), len(scenario.answer), int(scenario.closes))
    return [str(program), *map(str, numbers)]


SERVERS = (
    Server("atlas", module_missing("atlas.__main__", "atlas has no command line here yet"), _atlas, can_log=True),
    Server("uvicorn", module_missing("uvicorn", "pip install uvicorn uvloop httptools"), _uvicorn, can_log=True),
    Server("granian", module_missing("granian", "pip install granian"), _granian, can_log=True),
    Server("h2corn", module_missing("h2corn", "pip install h2corn"), _h2corn, can_log=True),
    Server("gunicorn", module_missing("gunicorn.asgi", "pip install 'gunicorn>=27'"), _gunicorn, can_log=True),
    Server("nginx", _program("nginx", "apt install nginx"), _nginx, baseline=True),
    Server("floor", _program("cc", "apt install gcc libc6-dev"), _floor, baseline=True),
)


def added(definition: str) -> Server:
    """A server given on the command line as ``NAME=COMMAND``, with {app} and {port} in the command.

    Raises ValueError if it is not of that shape.
    """
    name, equals, command = definition.partition("=")
    words = shlex.split(command)
    if not equals or not name or "{port}" not in command or not words:
        raise ValueError(f"expected NAME=COMMAND with {{port}} and {{app}} in the command, got {definition!r}")

    def build(job: Job) -> list[str]:
        return [word.replace("{port}", str(job.port)).replace("{app}", job.target) for word in words]

    return Server(name, _program(words[0], f"{words[0]} is not on the path"), build)


def select(names: Sequence[str], more: Sequence[Server] = ()) -> list[Server]:
    """The servers of these names, all if there are none. Raises ValueError for an unknown name."""
    return select_from([*SERVERS, *more], [*names, *(server.name for server in more if names)])


def select_from(known: Sequence[Server], names: Sequence[str]) -> list[Server]:
    """As :func:`select`, from another table."""
    for name in names:
        if name not in {server.name for server in known}:
            raise ValueError(f"there is no server {name!r}: known are {', '.join(server.name for server in known)}")
    return [server for server in known if not names or server.name in names]
