"""``python -m bench.conformance``: how many requests of a public suite each server treats as expected."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.conformance import corpus
from bench.conformance.corpus import Case, FetchFailed
from bench.conformance.score import Answer, ask_all
from bench.side_by_side import machine
from bench.side_by_side.options import RESULTS
from bench.side_by_side.processes import StartFailed, free_port, running
from bench.side_by_side.rounds import ROOT
from bench.side_by_side.scenarios import SCENARIOS
from bench.side_by_side.servers import SERVERS, Job, Server, module_missing, select_from

PACKAGES = ("atlas-web", "uvicorn", "httptools", "granian", "hypercorn", "h11", "gunicorn", "h2corn")
READS_BODY = next(scenario for scenario in SCENARIOS if scenario.name == "post")
Answers = Mapping[str, Answer]


class ReadingJob(Job):
    """A start of a server with the application of this package."""

    __slots__ = ()

    @property
    def target(self) -> str:
        return "bench.conformance.app:read"


def _hypercorn(job: Job) -> list[str]:
    return [sys.executable, "-m", "hypercorn", job.target, "--bind", f"127.0.0.1:{job.port}", "--log-level", "ERROR"]


PEERS = (
    *(server for server in SERVERS if not server.baseline),
    Server("hypercorn", module_missing("hypercorn", "pip install hypercorn"), _hypercorn),
)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.conformance", description="Requests of a public suite.")
    parser.add_argument("--servers", default="", help=f"with commas (default: {','.join(each.name for each in PEERS)})")
    parser.add_argument("--archive", type=Path, help=f"{corpus.PACKAGE}'s source distribution, if it is here already")
    parser.add_argument("--verbose", action="store_true", help="list every case that has another outcome than expected")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results (default: bench/results)")
    options = parser.parse_args(arguments)
    try:
        options.peers = select_from(PEERS, [name for name in options.servers.split(",") if name])
    except ValueError as error:
        parser.error(str(error))
    return options


def answers_of(server: Server, cases: Sequence[Case], directory: Path) -> Answers:
    """Start a server, send every case, stop it. Raises StartFailed."""
    job = ReadingJob(READS_BODY, free_port(), directory)
    with (
        tempfile.TemporaryFile() as complaints,
        running(server.command(job), job.port, core=None, environment={"PYTHONPATH": str(ROOT)}, complaints=complaints),
    ):
        return ask_all(job.port, cases)


def row(name: str, cases: Sequence[Case], answers: Answers) -> str:
    """A line of the table."""
    right = [case for case in cases if answers[case.name].is_right(case)]
    accepted, refused = corpus.count(right)
    valid, invalid = corpus.count(cases)
    return f"| {name} | {accepted} of {valid} | {refused} of {invalid} | {len(right)} of {len(cases)} |"


def differences(name: str, cases: Sequence[Case], answers: Answers) -> list[str]:
    """A line for each case with another outcome than expected."""
    wrong = [case for case in cases if not answers[case.name].is_right(case)]
    return [f"{name}: {case.name}: {answers[case.name]}" for case in wrong]


def main(arguments: Sequence[str] | None = None) -> int:
    """0: the table is complete. 1: a server was left out. 2: the suite could not be fetched."""
    options = parse(arguments)
    found: dict[str, Answers] = {}
    with tempfile.TemporaryDirectory(prefix="conformance-") as scratch:
        try:
            cases = corpus.read(options.archive or corpus.fetch(Path(scratch)))
        except (FetchFailed, OSError) as error:
            print(f"no suite: {error}", file=sys.stderr)
            return 2
        for server in options.peers:
            if advice := server.missing():
                print(f"! {server.name} is left out: {advice}", file=sys.stderr)
                continue
            try:
                found[server.name] = answers_of(server, cases, Path(scratch))
            except StartFailed as error:
                print(f"! {server.name} is left out: {error}", file=sys.stderr)
    print(f"{corpus.PACKAGE} {corpus.VERSION}, {corpus.FOLDER}, {time.strftime('%Y-%m-%d')}", "", sep="\n")
    print("| server | valid, accepted | invalid, refused | as expected |", "|---|--:|--:|--:|", sep="\n")
    for name, answers in found.items():
        print(row(name, cases, answers))
    if options.verbose:
        print("", *(line for name, answers in found.items() for line in differences(name, cases, answers)), sep="\n")
    options.out.mkdir(parents=True, exist_ok=True)
    document = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "machine": machine.about(PACKAGES),
        "suite": f"{corpus.PACKAGE} {corpus.VERSION}",
        "answers": {name: {case: str(each) for case, each in answers.items()} for name, answers in found.items()},
    }
    (options.out / "conformance.json").write_text(json.dumps(document, indent=2) + "\n")
    return 0 if len(found) == len(options.peers) else 1


if __name__ == "__main__":
    sys.exit(main())
