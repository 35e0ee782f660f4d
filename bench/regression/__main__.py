"""``python -m bench.regression --base main~1``: exit status 1 if a benchmark became slower, or is missing."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

from bench.instructions import MISSING, NoCount
from bench.regression import picture
from bench.regression.checkout import CheckoutFailed, build, build_base, copy_benchmarks, resolve, worktree
from bench.regression.pytest_runs import RunFailed, Tree
from bench.regression.verdict import TOLERANCE, Document, Limit, Names, Outcome, Verdict, compare, judge
from bench.side_by_side import machine

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench/results/regression"
ROUNDS = 5
SECONDS = 0.1
QUIET = (Outcome.AS_BEFORE, Outcome.FASTER, Outcome.ACCEPTED)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.regression", description="Compare the benchmarks of the working tree with a commit's."
    )
    parser.add_argument("--base", default="main~1", help="the commit to compare with (default: main~1)")
    parser.add_argument(
        "--benchmark-compare-fail", dest="limit", default="median:8%", metavar="LIMIT",
        help="how much slower a benchmark may become, as for pytest-benchmark: median:8%% (the default), min:0.000002",
    )  # fmt: skip
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help=f"of instructions (default: {TOLERANCE})")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds of each tree (default: {ROUNDS})")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help=f"of a benchmark in a round (default: {SECONDS})"
    )
    parser.add_argument("--only", default="", metavar="EXPRESSION", help="the benchmarks to run, as for pytest -k")
    parser.add_argument(
        "--accept-missing", action="append", default=[], metavar="PATTERN",
        help="names of benchmarks that were renamed or removed, with * and ?; may be given several times",
    )  # fmt: skip
    parser.add_argument("--built", action="store_true", help="the working tree is compiled already")
    parser.add_argument("--core", type=int, help="the core to run on (default: the last one)")
    parser.add_argument(
        "--out", type=Path, default=RESULTS, help="folder of the results (default: bench/results/regression)"
    )
    options = parser.parse_args(arguments)
    try:
        options.limit = Limit.parse(options.limit)
    except ValueError as error:
        parser.error(f"--benchmark-compare-fail: {error}")
    if options.rounds < 1:
        parser.error("--rounds: expected 1 or more")
    return options


def last_core() -> int | None:
    """The last core that this process may use; None where processes cannot be pinned."""
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def measure(base: Tree, tree: Tree, options: argparse.Namespace, say: Callable[[str], None]) -> list[list[Document]]:
    """Measure both trees in interleaved rounds, of which every second one begins with the other tree.

    :returns: the documents of the base, and those of the working tree.
    """
    core = last_core() if options.core is None else options.core
    documents: dict[str, list[Document]] = {base.label: [], tree.label: []}
    for number in range(1, options.rounds + 1):
        for each in (base, tree) if number % 2 else (tree, base):
            say(f"round {number} of {options.rounds}, {each.label}")
            result = options.out / f"{each.label}-{number}.json"
            documents[each.label].append(each.measure(result, core, number, options.seconds))
    return [documents[base.label], documents[tree.label]]


def run(options: argparse.Namespace, folder: Path, say: Callable[[str], None]) -> list[Verdict]:
    """Build, collect, measure, count, decide."""
    commit = resolve(ROOT, options.base)
    if not options.built:
        say("compiling the working tree")
        build(ROOT)
    files = copy_benchmarks(ROOT, folder / "files")
    with worktree(ROOT, commit, folder / "base") as checkout:
        say(f"compiling {options.base} ({commit[:12]})")
        if build_base(ROOT, commit, checkout):
            say("its compiled modules have the same source as those of the working tree: they were copied")
        base = Tree("base", checkout, files, options.only)
        tree = Tree("tree", ROOT, files, options.only)
        own = Tree("base", checkout, checkout, options.only)
        names = Names(own.collect(ini=tree.ini), tree.collect(), options.accept_missing)
        before, after = measure(base, tree, options, say)
        slower = [each.name for each in compare(before, after, options.limit) if each.exceeds(options.limit)]
        counts: list[dict[str, int]] = [{}, {}]
        if slower:
            say(f"counting the instructions of {len(slower)} benchmarks that took longer")
            with ThreadPoolExecutor(2) as pool:  # at the same time: counts do not depend on the load
                counts = list(pool.map(lambda each: each.count(slower), (base, tree)))
    return judge(before, after, options.limit, names, (counts[0], counts[1]), options.tolerance)


def document(verdicts: Sequence[Verdict], options: argparse.Namespace) -> dict[str, Any]:
    """The result as JSON."""
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "machine": machine.about(),
        "base": options.base,
        "limit": str(options.limit),
        "rounds": options.rounds,
        "benchmarks": [
            {
                "name": each.name,
                "outcome": each.outcome.name.lower(),
                "fails": each.outcome.fails,
                "ratio": each.comparison and each.comparison.ratio,
                "instructions": each.instructions,
                "remark": each.remark,
            }
            for each in verdicts
        ],
    }


def report(verdicts: Sequence[Verdict], options: argparse.Namespace) -> int:
    """Print what is not as before, keep JSON and plot; return the exit status."""
    for each in verdicts:
        if each.outcome not in QUIET:
            print(each)
    counted = Counter(each.outcome for each in verdicts)
    print(", ".join(f"{count} {outcome.value}" for outcome, count in counted.items()))
    subtitle = f"working tree and {options.base}, {options.rounds} rounds, limit {options.limit}, in CPU time"
    (options.out / "regression.json").write_text(json.dumps(document(verdicts, options), indent=2) + "\n")
    (options.out / "regression.svg").write_text(picture.render(verdicts, options.limit, subtitle))
    print(f"kept in {options.out}: regression.json, regression.svg, and pytest-benchmark's JSON of each round")
    failed = [each for each in verdicts if each.outcome.fails]
    if not verdicts:
        print("FAILED: there is no benchmark", file=sys.stderr)
    if failed:
        print(f"FAILED: {len(failed)} of {len(verdicts)} benchmarks", file=sys.stderr)
    return 1 if failed or not verdicts else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """0: nothing became slower, and nothing is missing. 1: something did, or is. 2: it could not be measured."""
    options = parse(arguments)
    if not shutil.which("valgrind"):
        print(MISSING, file=sys.stderr)
        return 2
    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="regression-") as folder, terminated():
        try:
            verdicts = run(options, Path(folder), lambda line: print(f"  {line}", flush=True))
        except (CheckoutFailed, RunFailed, NoCount) as error:
            print(f"not measured: {error}", file=sys.stderr)
            return 2
    return report(verdicts, options)


@contextlib.contextmanager
def terminated() -> Any:
    """Let SIGTERM leave the block as Ctrl+C does, so that the worktree is removed."""

    def leave(*_: object) -> NoReturn:
        sys.exit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main())
