"""The measurement: rounds interleaved over the servers, each round with a fresh process, medians over the rounds.

Rounds are interleaved (A B C A B C ...), so that a machine that gets slower for a minute slows all servers down alike.
Each round has a fresh process: memory layout and hash seeds differ from process to process, and in a single one their
effect would look like a difference between servers.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.side_by_side import client, load
from bench.side_by_side.latency import Latencies
from bench.side_by_side.processes import Running, StartFailed, busy_seconds, free_port, running
from bench.side_by_side.scenarios import Scenario
from bench.side_by_side.servers import Job, Server

NOISY = 0.10  # of a core: other processes that use more disturb the measurement
RETRIES = 2

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Round:
    """One server under load for some seconds.

    ``cpu`` is CPU seconds per request, ``p50`` and ``p99`` are seconds; ``busy`` and ``load_busy`` are the shares of
    one core that server and wrk used, ``others`` that of all other processes on the two cores.
    """

    requests_per_second: float
    cpu: float
    p50: float | None
    p99: float | None
    busy: float
    load_busy: float
    others: float
    errors: int
    latencies: Latencies | None = None


@dataclass(slots=True)
class Entry:
    """The rounds of one variant and their medians; ``skipped`` says why there are none (or no more)."""

    label: str
    rounds: list[Round] = field(default_factory=list)
    skipped: str | None = None

    @property
    def requests_per_second(self) -> float:
        return median(one.requests_per_second for one in self.rounds)

    @property
    def cpu(self) -> float:
        return median(one.cpu for one in self.rounds)

    @property
    def p50(self) -> float | None:
        return _median_of_known(one.p50 for one in self.rounds)

    @property
    def p99(self) -> float | None:
        return _median_of_known(one.p99 for one in self.rounds)

    @property
    def tail(self) -> float | None:
        """p99 as a multiple of p50, the median over the rounds."""
        return _median_ratio((one.p99, one.p50) for one in self.rounds)

    @property
    def busy(self) -> float:
        return median(one.busy for one in self.rounds)

    @property
    def others(self) -> float:
        return median(one.others for one in self.rounds)

    @property
    def latencies(self) -> Latencies | None:
        """Those of all rounds, if they were kept."""
        kept = [one.latencies for one in self.rounds if one.latencies]
        return Latencies.pooled(kept) if kept else None

    @property
    def errors(self) -> int:
        return sum(one.errors for one in self.rounds)

    @property
    def spread(self) -> float:
        """Half the range of requests per second over the rounds, as a share of the median."""
        return half_range(one.requests_per_second for one in self.rounds)

    @property
    def cpu_spread(self) -> float:
        """The same of CPU time per request."""
        return half_range(one.cpu for one in self.rounds)


def _median_of_known(figures: Iterable[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return median(known) if known else None


def half_range(figures: Iterable[float]) -> float:
    """Half the distance from the least to the most, as a share of the median."""
    values = list(figures)
    return (max(values) - min(values)) / 2 / median(values) if median(values) else 0.0


@dataclass(frozen=True, slots=True)
class Ratios:
    """An entry's figures as multiples of another's; None where one of them has no such figure.

    Each is the median of the ratios round by round: what changes from minute to minute cancels out before the median
    is taken, so that it may differ a little from the ratio of the two medians.
    """

    requests_per_second: float | None
    cpu: float | None
    p99: float | None

    @classmethod
    def between(cls, entry: Entry, base: Entry | None) -> Ratios:
        """The entry's figures over the base's."""
        pairs = list(zip(entry.rounds, base.rounds, strict=False)) if base else []
        return cls(
            _median_ratio((one.requests_per_second, other.requests_per_second) for one, other in pairs),
            _median_ratio((one.cpu, other.cpu) for one, other in pairs),
            _median_ratio((one.p99, other.p99) for one, other in pairs),
        )


def _median_ratio(pairs: Iterable[tuple[float | None, float | None]]) -> float | None:
    ratios = [value / base for value, base in pairs if value is not None and base]
    return median(ratios) if ratios else None


@dataclass(slots=True)
class Outcome:
    """A scenario's entries, in the order of the servers."""

    scenario: Scenario
    entries: list[Entry]

    def entry(self, label: str) -> Entry | None:
        """The measured entry of this label."""
        return next((entry for entry in self.entries if entry.label == label and entry.rounds), None)

    def ratios(self, entry: Entry, base_label: str) -> Ratios:
        """An entry's figures as multiples of those of the base, if that was measured."""
        return Ratios.between(entry, self.entry(base_label))


@dataclass(frozen=True, slots=True)
class Plan:
    """Seconds per round, number of rounds, and the cores of server and load."""

    seconds: int
    rounds: int
    server_core: int | None
    load_core: int | None

    @property
    def cores(self) -> set[int]:
        """The cores that are used, all where nothing is pinned."""
        pinned = {core for core in (self.server_core, self.load_core) if core is not None}
        return pinned or set(range(os.cpu_count() or 1))


@dataclass(frozen=True, slots=True)
class Variant:
    """A server without or with its access log."""

    server: Server
    logged: bool = False

    @property
    def label(self) -> str:
        return f"{self.server.name} + log" if self.logged else self.server.name


def variants(scenario: Scenario, servers: Sequence[Server]) -> list[Variant]:
    """The variants of these servers that run a scenario."""
    chosen = [server for server in servers if server.takes(scenario)]
    set_ups = (False, True) if scenario.logged else (False,)
    return [Variant(server, logged) for server in chosen for logged in set_ups]


@contextlib.contextmanager
def started(variant: Variant, scenario: Scenario, core: int | None, directory: Path) -> Iterator[Running]:
    """Run the server for the length of the block. Raises StartFailed."""
    job = Job(scenario, free_port(), directory, variant.logged)
    words = variant.server.command(job)
    with (
        tempfile.TemporaryFile() as complaints,
        running(words, job.port, core=core, environment={"PYTHONPATH": str(ROOT)}, complaints=complaints) as server,
    ):
        yield server


def one_round(variant: Variant, scenario: Scenario, plan: Plan, directory: Path) -> Round:
    """Start, check one answer, warm up, measure, stop. Raises StartFailed, WrongAnswer or LoadFailed."""
    with started(variant, scenario, plan.server_core, directory) as server:
        client.check(scenario, server.port, body_length_only=variant.server.baseline)
        load.warm(scenario, server.port, plan.load_core)
        before, all_before = server.cpu_seconds(), busy_seconds(plan.cores)
        seen, load_cpu = load.run(scenario, server.port, plan.seconds, plan.load_core)
        cpu, everything = server.cpu_seconds() - before, busy_seconds(plan.cores) - all_before
        if not seen.requests:
            raise load.LoadFailed("no request was answered")
        return Round(
            requests_per_second=seen.requests / seen.seconds,
            cpu=cpu / seen.requests,
            p50=seen.p50,
            p99=seen.p99,
            busy=cpu / seen.seconds,
            load_busy=load_cpu / seen.seconds,
            others=max(0.0, everything - cpu - load_cpu) / seen.seconds,
            errors=seen.errors,
            latencies=seen.latencies,
        )


def quiet_round(variant: Variant, scenario: Scenario, plan: Plan, directory: Path) -> Round:
    """One round; repeated, a few times at most, while other processes disturb it. The least disturbed counts."""
    best = one_round(variant, scenario, plan, directory)
    for _ in range(RETRIES):
        if best.others <= NOISY:
            break
        best = min(best, one_round(variant, scenario, plan, directory), key=lambda one: one.others)
    return best


def measure(
    scenario: Scenario, servers: Sequence[Server], plan: Plan, directory: Path, tell: Callable[[str], None]
) -> Outcome:
    """All rounds of a scenario. A server that fails is left out from then on, and its entry says why."""
    measured = variants(scenario, servers)
    entries = {variant.label: Entry(variant.label) for variant in measured}
    for number in range(1, plan.rounds + 1):
        for variant in measured:
            entry = entries[variant.label]
            if entry.skipped:
                continue
            tell(f"{scenario.name}: round {number} of {plan.rounds}, {variant.label}")
            try:
                entry.rounds.append(quiet_round(variant, scenario, plan, directory))
            except (StartFailed, client.WrongAnswer, load.LoadFailed, OSError, ValueError) as error:
                entry.skipped = f"{error}" or type(error).__name__
    return Outcome(scenario, list(entries.values()))
