"""Instructions per request: ``python -m bench.instructions``. This is the guarded number.

Wall-clock time and CPU time vary with the machine and its other processes; the number of instructions that a server
executes in user space for a request hardly does. The server runs under valgrind's callgrind; one connection sends
requests one after another. The cost of N requests is subtracted from the cost of 2N, so that what does not belong to a
request cancels out. Two raw ASGI scenarios and six web applications are counted, as many at a time as there are cores;
the counts do not depend on that.

The kernel's instructions are not counted, and instructions are not time: a cache miss costs as much as a hundred of
them. The number shows that a change has made the path of a request longer.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from bench.side_by_side import servers
from bench.side_by_side.client import HOST, WrongAnswer, check, read_answer, request_bytes
from bench.side_by_side.processes import Running, StartFailed, free_port, running
from bench.side_by_side.rounds import ROOT
from bench.side_by_side.scenarios import SCENARIOS, Scenario
from bench.side_by_side.web.endpoints import ENDPOINTS
from bench.side_by_side.web.frameworks import FRAMEWORKS

STORE = Path(__file__).with_name("instructions.json")
REQUESTS = 200
WARM_UP = 300  # the interpreter specialises its bytecode, pools fill up, dicts reach their size
PATIENCE = 120.0
TOLERANCE = 0.02
WIDTH = 14

MISSING = "valgrind is not installed: apt install valgrind (Debian, Ubuntu), dnf install valgrind (Fedora)"
TOTAL = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)

FOLDERS = re.compile(r"(?<=[\s\[])[^\s\[\]]*/")

Counts = dict[str, int]


@dataclass(frozen=True, slots=True)
class Case:
    """A count that is kept: its name, the scenario, and the name of the server there."""

    name: str
    scenario: Scenario
    server: str = "atlas"

    @property
    def candidates(self) -> Sequence[servers.Server]:
        """The servers that can run this scenario."""
        return FRAMEWORKS if self.scenario in ENDPOINTS else servers.SERVERS

    def find_server(self) -> servers.Server:
        """Return the server of that name. Raises ValueError if the scenario does not include it."""
        (server,) = servers.select_from(self.candidates, [self.server])
        return server


RAW = {scenario.name: scenario for scenario in SCENARIOS}
WEB = {endpoint.name: endpoint for endpoint in ENDPOINTS}
CASES = (
    Case("hello", RAW["hello"]),
    Case("browser", RAW["browser"]),
    *(Case(f"web-{name}", WEB[name]) for name in ("text", "user", "page", "order", "five")),
    Case("web-text-async", WEB["text"], "atlas-async"),
)


class NoCount(Exception):
    """callgrind printed no number of instructions."""


def parse_total(dump: str) -> int:
    """The instructions in one dump of callgrind. Raises NoCount if the dump has no total."""
    if (found := TOTAL.search(dump)) is None:
        raise NoCount("there is no total in callgrind's dump")
    return int(found[1])


def per_request(once: int, twice: int, requests: int) -> int:
    """Instructions per request, from the cost of N and of 2N requests."""
    return round((twice - once) / requests)


def platform_key() -> str:
    """Counts can only be compared with those of the same Python on the same kind of processor."""
    return f"{sys.version_info.major}.{sys.version_info.minor} {platform.machine()}"


def judge(measured: Mapping[str, int], stored: Mapping[str, int], tolerance: float) -> tuple[list[str], bool]:
    """A line per scenario, and whether any count has grown by more than the tolerance, a share of the stored one."""
    lines, grew = [], False
    for name, count in measured.items():
        before = stored.get(name)
        if before is None:
            lines.append(f"  {name:{WIDTH}} {count:>9,} instructions per request, nothing stored to compare with")
            continue
        change = count / before - 1
        verdict = "as before"
        if change > tolerance:
            verdict, grew = "GREW", True
        elif change < -tolerance:
            verdict = "less: store it with --update"
        lines.append(
            f"  {name:{WIDTH}} {count:>9,} instructions per request, stored {before:,}: {change:+.1%}, {verdict}"
        )
    return lines, grew


class Callgrind:
    """Remote control of a process under callgrind, whose dumps are numbered files."""

    def __init__(self, pid: int, prefix: Path) -> None:
        self.pid = pid
        self.prefix = prefix
        self.dumps = 0

    def tell(self, *words: str) -> None:
        """Send one command. Raises NoCount if it was refused."""
        result = subprocess.run(
            ["callgrind_control", *words, str(self.pid)], capture_output=True, text=True, timeout=60
        )
        if result.returncode != 0:
            raise NoCount(f"callgrind_control: {(result.stderr or result.stdout).strip()}")

    def dump(self) -> Path:
        """Write what was counted since the last dump to a file, and begin again at zero."""
        self.tell("--dump")
        self.dumps += 1
        return self.prefix.with_name(f"{self.prefix.name}.{self.dumps}")


def ask(connection: socket.socket, stream: BinaryIO, request: bytes, times: int) -> None:
    """One request after another on one connection."""
    for _ in range(times):
        connection.sendall(request)
        read_answer(stream)


def count_while_running(server: Running, scenario: Scenario, prefix: Path, requests: int) -> tuple[int, Path]:
    """Instructions per request, and the dump that 2N requests have left."""
    check(scenario, server.port)
    request = request_bytes(scenario, server.port)
    callgrind = Callgrind(server.process.pid, prefix)
    with socket.create_connection((HOST, server.port), timeout=60) as connection, connection.makefile("rb") as stream:
        ask(connection, stream, request, WARM_UP)
        callgrind.tell("--instr=on")
        ask(connection, stream, request, 10)
        callgrind.dump()
        ask(connection, stream, request, requests)
        once = parse_total(callgrind.dump().read_text())
        ask(connection, stream, request, 2 * requests)
        dump = callgrind.dump()
    return per_request(once, parse_total(dump.read_text()), requests), dump


def count(case: Case, directory: Path, requests: int) -> tuple[int, Path]:
    """Start a server under callgrind and count. Raises StartFailed, WrongAnswer or NoCount."""
    job = servers.Job(case.scenario, free_port(), directory)
    prefix = directory / f"callgrind-{case.server}-{case.name}"
    valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={prefix}"]
    environment = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
    with (
        tempfile.TemporaryFile() as complaints,
        running(
            [*valgrind, *case.find_server().command(job)],
            job.port,
            core=None,
            environment=environment,
            complaints=complaints,
            patience=PATIENCE,
        ) as process,
    ):
        return count_while_running(process, case.scenario, prefix, requests)


def shorten(line: str) -> str:
    """A line of callgrind_annotate without the folders of source files and libraries."""
    return FOLDERS.sub("", line).rstrip()


def top(dump: Path, lines: int) -> str:
    """The functions that cost most, own instructions first."""
    words = ["callgrind_annotate", "--show=Ir", "--auto=no", str(dump)]
    output = subprocess.run(words, capture_output=True, text=True).stdout.splitlines()
    start = next((number for number, line in enumerate(output) if "file:function" in line), 0)
    return "\n".join(shorten(line) for line in output[start + 2 : start + 2 + lines])


def read_store() -> dict[str, Counts]:
    """The stored counts, by Python and processor."""
    if not STORE.exists():
        return {}
    stored: dict[str, Counts] = json.loads(STORE.read_text())
    return stored


def write_store(measured: Counts) -> None:
    """Store the counts as the new reference."""
    stored = read_store()
    stored[platform_key()] = {**stored.get(platform_key(), {}), **measured}
    STORE.write_text(json.dumps(stored, indent=2, sort_keys=True) + "\n")


def select(names: Sequence[str], server: str = "atlas") -> list[Case]:
    """The cases of these names, all if there are none; with another server, those that it has a part in.

    Raises ValueError for an unknown name, with the closest match, and for a server that has no part in any of them.
    """
    known = {case.name: case for case in CASES}
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
            raise ValueError(f"there is no count {name!r}: {hint}")
    chosen = [case for case in CASES if not names or case.name in names]
    if server == "atlas":
        return chosen
    asked: dict[str, Case] = {}
    for case in chosen:
        if server in {each.name for each in case.candidates}:
            asked.setdefault(case.scenario.name, replace(case, server=server))
    able = list(asked.values())
    if not able:
        raise ValueError(f"there is no server {server!r} that has a part in this")
    return able


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    names = ",".join(case.name for case in CASES)
    parser = argparse.ArgumentParser(prog="python -m bench.instructions", description="Instructions per request.")
    parser.add_argument("--only", default="", help=f"what to count, with commas (default: {names})")
    parser.add_argument("--server", default="atlas", help="the server to count (default: atlas); others are not stored")
    parser.add_argument("--requests", type=int, default=REQUESTS, help=f"N, counted as N and 2N (default: {REQUESTS})")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help=f"share of growth (default: {TOLERANCE})")
    parser.add_argument("--update", action="store_true", help="store the counts as the new reference")
    parser.add_argument("--top", type=int, default=0, metavar="LINES", help="list the functions that cost most")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep callgrind's files, for a profile viewer")
    options = parser.parse_args(arguments)
    try:
        options.cases = select([name for name in options.only.split(",") if name], options.server)
    except ValueError as error:
        parser.error(str(error))
    return options


def count_all(cases: Sequence[Case], directory: Path, requests: int, lines: int) -> Counts:
    """Count the cases, as many at a time as there are cores; the costliest functions of each if asked for."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counted = list(pool.map(lambda case: count(case, directory, requests), cases))
    for case, (_, dump) in zip(cases, counted, strict=True):
        if lines:
            print(f"{case.name}, {2 * requests} requests\n{top(dump, lines)}\n", flush=True)
    return {case.name: figure for case, (figure, _) in zip(cases, counted, strict=True)}


def missing(cases: Iterable[Case]) -> str | None:
    """Say what has to be installed first; None if nothing."""
    if not shutil.which("valgrind"):
        return MISSING
    return next((advice for case in cases if (advice := case.find_server().missing())), None)


def main() -> int:
    """0: nothing has grown. 1: something has. 2: it could not be counted."""
    options = parse()
    if advice := missing(options.cases):
        print(advice, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="instructions-") as scratch:
        directory = options.keep or Path(scratch)
        directory.mkdir(parents=True, exist_ok=True)
        try:
            measured = count_all(options.cases, directory, options.requests, options.top)
        except (StartFailed, WrongAnswer, NoCount) as error:
            print(f"{options.server}: not counted, {error}", file=sys.stderr)
            return 2
    own = options.server == "atlas"
    lines, grew = judge(measured, read_store().get(platform_key(), {}) if own else {}, options.tolerance)
    print(f"{options.server}, Python {platform_key()}", *lines, sep="\n")
    if own and options.update:
        write_store(measured)
        print(f"stored in {STORE.name}")
        return 0
    return 1 if grew else 0


if __name__ == "__main__":
    sys.exit(main())
