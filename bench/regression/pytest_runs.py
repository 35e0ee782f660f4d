"""Run pytest on a tree: to collect benchmarks, to measure them, and to count their instructions under callgrind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.instructions import Callgrind, parse_total, per_request
from bench.side_by_side.processes import pinned

GUARDED = "not peer"
CALLS = 100  # N: the cost of N calls is subtracted from that of 2N
TESTS_FAILED = 1  # pytest's exit status; a benchmark that failed is found by its name, which is missing
NO_TESTS = 5


class RunFailed(Exception):
    """pytest could not run, or wrote no result."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree whose ``atlas`` is measured, by the benchmark files in the folder ``files``."""

    label: str
    root: Path
    files: Path
    only: str = ""

    @property
    def ini(self) -> Path:
        """The configuration of pytest."""
        return self.files / "bench/regression/pytest.ini"

    def command(self, *words: str, names: Sequence[str] = ("bench",), ini: Path | None = None) -> list[str]:
        """The command line of pytest, by default for all benchmarks but those of other projects' code."""
        chosen = ["-k", self.only] if self.only else []
        return [
            sys.executable, "-m", "pytest", *names, "-q", "-c", str(ini or self.ini),
            "--rootdir", str(self.files), "--confcutdir", str(self.files), "-m", GUARDED, *chosen, *words,
        ]  # fmt: skip

    def environment(self, **more: str) -> dict[str, str]:
        """The environment: this tree's ``atlas`` precedes an installed one, and ``bench/conftest.py`` checks that."""
        path = os.pathsep.join([str(self.files), str(self.root)])
        own = {"BENCH_TREE": str(self.root), "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        # A pytest that runs this one says things for itself: as a worker of xdist, with options, without plugins.
        outer = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        return {**outer, **own, "PYTHONHASHSEED": "0", **more}

    def collect(self, ini: Path | None = None) -> list[str]:
        """The names of the benchmarks. Raises RunFailed.

        :param ini: the configuration, if the files have none.
        """
        done = subprocess.run(
            self.command("--collect-only", ini=ini),
            cwd=self.files,
            env=self.environment(),
            capture_output=True,
            text=True,
        )
        if done.returncode not in (0, NO_TESTS):
            raise RunFailed(f"{self.label}: the benchmarks could not be collected\n{tail(done.stdout + done.stderr)}")
        listed = done.stdout.partition("\n\n")[0].splitlines()
        return [line for line in listed if "::" in line]

    def measure(self, result: Path, core: int | None, seed: int, seconds: float) -> dict[str, Any]:
        """Measure every benchmark once: ``seconds`` each, in CPU time, in a process of its own. Raises RunFailed.

        :param result: the file for pytest-benchmark's JSON; what pytest prints is kept beside it, as ``.log``.
        :param seed: that of the hashes, which decides about the layout of dicts.
        """
        words = self.command(
            "-p", "pytest_benchmark.plugin", "--benchmark-only", f"--benchmark-json={result}", "--benchmark-disable-gc",
            "--benchmark-timer=time.process_time", "--benchmark-warmup=on", "--benchmark-warmup-iterations=100",
            "--benchmark-min-time=0.0005", f"--benchmark-max-time={seconds}", "--benchmark-quiet", "-rfEs",
        )  # fmt: skip
        done = subprocess.run(
            pinned(words, core),
            cwd=self.files,
            env=self.environment(PYTHONHASHSEED=str(seed)),
            capture_output=True,
            text=True,
        )
        result.with_suffix(".log").write_text(done.stdout + done.stderr)
        if done.returncode not in (0, TESTS_FAILED) or not result.exists() or not result.stat().st_size:
            raise RunFailed(f"{self.label}: pytest ended with {done.returncode}\n{tail(done.stdout + done.stderr)}")
        document: dict[str, Any] = json.loads(result.read_text())
        return document

    def count(self, names: Sequence[str], calls: int = CALLS) -> dict[str, int]:
        """Count instructions per call of these benchmarks, under callgrind. Raises RunFailed."""
        with tempfile.TemporaryDirectory(prefix="callgrind-") as folder:
            prefix = Path(folder) / "out"
            valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={prefix}"]
            words = self.command("-p", "bench.regression.counting", names=names)
            return self._count([*valgrind, *words], prefix, calls)

    def _count(self, words: Sequence[str], prefix: Path, calls: int) -> dict[str, int]:
        """Start the process and do what it asks for, line by line; it waits for a byte after each line."""
        from_child, to_parent = os.pipe()
        from_parent, to_child = os.pipe()
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                words,
                cwd=self.files,
                env=self.environment(BENCH_COUNTING=f"{from_parent},{to_parent},{calls}"),
                pass_fds=(from_parent, to_parent),
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
            os.close(to_parent)
            os.close(from_parent)
            try:
                with os.fdopen(from_child) as lines, os.fdopen(to_child, "wb", buffering=0) as replies:
                    counts = follow(Callgrind(process.pid, prefix), lines, replies, calls)
                process.wait()
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            if process.returncode not in (0, TESTS_FAILED):
                output.seek(0)
                raise RunFailed(f"{self.label}: counting ended with {process.returncode}\n{tail(output.read())}")
        return counts


def follow(callgrind: Callgrind, lines: Any, replies: Any, calls: int) -> dict[str, int]:
    """Answer the lines of ``bench.regression.counting`` until it ends; return the counts by benchmark."""
    counts: dict[str, int] = {}
    totals: list[int] = []
    for line in lines:
        word, _, name = line.rstrip("\n").partition(" ")
        if word == "on":
            totals.clear()
            callgrind.tell("--instr=on")
        elif word == "dump":
            dump = callgrind.dump()
            totals.append(parse_total(dump.read_text()))
            dump.unlink()
        else:
            callgrind.tell("--instr=off")
            counts[name] = per_request(totals[-2], totals[-1], calls)
        replies.write(b".")
    return counts


def tail(output: str, lines: int = 25) -> str:
    """The end of what a process wrote."""
    return "\n".join(output.strip().splitlines()[-lines:])
