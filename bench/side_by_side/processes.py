"""Start, pin and stop a server, and measure the CPU time and memory of its process tree.

Every server is the leader of a session of its own, so that its workers can be found and stopped by number.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

TICKS = os.sysconf("SC_CLK_TCK")
START_TIMEOUT = 15.0
STOP_TIMEOUT = 5.0


class StartFailed(Exception):
    """The server ended, or did not accept connections in time. The message quotes its last line."""


@dataclass(frozen=True, slots=True)
class Stat:
    """The fields of /proc/<pid>/stat that matter here; times in clock ticks, children that were waited for included."""

    pid: int
    state: str
    session: int
    ticks: int


def parse_stat(text: str) -> Stat:
    """Read one line of /proc/<pid>/stat. The name, in parentheses, may hold anything, parentheses too."""
    before, _, after = text.rpartition(")")
    fields = after.split()
    return Stat(
        int(before.split(" ", 1)[0]), state=fields[0], session=int(fields[3]), ticks=sum(map(int, fields[11:15]))
    )


def session_stats(session: int) -> list[Stat]:
    """All living processes of a session."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):  # it ended while we looked
                stat = parse_stat(Path("/proc", entry, "stat").read_text(errors="replace"))
                if stat.session == session:
                    found.append(stat)
    return found


def parse_busy(text: str, cores: Collection[int]) -> int:
    """The ticks that these cores were not idle, from /proc/stat; what a hypervisor took away counts."""
    ticks = 0
    for line in text.splitlines():
        name, *values = line.split()
        if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in cores:
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, values[:8])
            ticks += user + nice + system + irq + softirq + steal
    return ticks


def busy_seconds(cores: Collection[int]) -> float:
    """Seconds that these cores have been busy so far, in all processes."""
    return parse_busy(Path("/proc/stat").read_text(), cores) / TICKS


def free_port() -> int:
    """A port on which no socket listened a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def pinned(command: Sequence[str], core: int | None) -> list[str]:
    """The command, on one core if that can be had."""
    if core is None or shutil.which("taskset") is None:
        return list(command)
    return ["taskset", "--cpu-list", str(core), *command]


@dataclass(frozen=True, slots=True)
class Running:
    """A server that accepts connections."""

    process: subprocess.Popen[bytes]
    port: int

    def cpu_seconds(self) -> float:
        """User and system time of the whole process tree so far."""
        return sum(stat.ticks for stat in session_stats(self.process.pid)) / TICKS

    def memory(self) -> tuple[int, int]:
        """Resident and proportional bytes of the whole process tree now."""
        rss = pss = 0
        for stat in session_stats(self.process.pid):
            with contextlib.suppress(OSError):
                rollup = parse_rollup(Path(f"/proc/{stat.pid}/smaps_rollup").read_text())
                rss += rollup["Rss"]
                pss += rollup["Pss"]
        return rss, pss


def parse_rollup(text: str) -> dict[str, int]:
    """Read /proc/<pid>/smaps_rollup into bytes by name."""
    sizes = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if value.endswith(" kB"):
            sizes[name] = int(value.removesuffix(" kB")) * 1024
    return sizes


@contextlib.contextmanager
def running(
    command: Sequence[str],
    port: int,
    *,
    core: int | None,
    environment: dict[str, str],
    complaints: BinaryIO,
    patience: float = START_TIMEOUT,
) -> Iterator[Running]:
    """Run a server for the length of the block; what it writes to standard error goes to ``complaints``.

    Raises StartFailed if it doesn't accept connections within ``patience`` seconds. However the block is left, the
    server and every process that it has started are gone afterwards.
    """
    process = subprocess.Popen(
        pinned(command, core),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=complaints,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    try:
        _wait_until_it_accepts(process, port, complaints, patience)
        yield Running(process, port)
    finally:
        stop(process)


def _wait_until_it_accepts(process: subprocess.Popen[bytes], port: int, complaints: BinaryIO, patience: float) -> None:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise StartFailed(f"it ended with status {process.returncode}: {last_line(complaints)}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise StartFailed(f"it did not accept within {patience:.0f} s: {last_line(complaints)}")


def last_line(complaints: BinaryIO) -> str:
    """The last line of a server's standard error, for the line that says why it is left out."""
    complaints.seek(0)
    lines = complaints.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it wrote nothing"


def stop(process: subprocess.Popen[bytes]) -> None:
    """Terminate the leader, wait, then kill what is left of its session."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT)
    deadline = time.monotonic() + STOP_TIMEOUT
    while (left := living(process.pid)) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)
    process.wait()


def living(session: int) -> list[int]:
    """The processes of a session that still run; a zombie only waits for its parent to look at it."""
    return [stat.pid for stat in session_stats(session) if stat.state not in "ZX"]
