"""The metrics of a server, by the conventions of Prometheus: names, units and labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal, TypeAlias

from atlas import __version__
from atlas._speedups.http.counters import BOUNDS, CLASS_NAMES, TIMEOUT_NAMES
from atlas.server.metrics.process_memory import memory_of
from atlas.server.metrics.totals import SeriesTotal, Totals

__all__ = ["Family", "Sample", "WorkerNumbers", "server_families", "worker_families"]

Labels: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One value. ``suffix``: what follows the name of the family, such as ``_bucket``."""

    value: int | float
    labels: Labels = ()
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """A metric. ``name`` has no ``_total``; ``unit`` is its last word where it has one."""

    name: str
    kind: Literal["counter", "gauge", "histogram", "info"]
    help: str
    samples: Sequence[Sample]
    unit: str = ""


@dataclass(frozen=True, slots=True)
class WorkerNumbers:
    """What a process that serves has counted. ``name``: ``0`` for the first worker; ``now``: ``time.monotonic()``."""

    name: str
    read: Mapping[str, Any]
    now: float

    @property
    def lag(self) -> float:
        """Seconds that the event loop was late, or is late at this moment."""
        due, lag = float(self.read["due"]), float(self.read["lag"])
        return max(lag, self.now - due) if due else lag


def server_families(totals: Totals, workers: Sequence[WorkerNumbers]) -> Iterator[Family]:
    """Iterate over the metrics of a server.

    :param totals: the sums over all workers, those that have ended included.
    :param workers: the workers that run.
    """
    yield Family("atlas_build", "info", "Version of Atlas.", [Sample(1, (("version", __version__),), "_info")])
    yield from _request_families(totals, workers)
    yield from _connection_families(totals, workers)
    lags = [Sample(worker.lag, (("worker", worker.name),)) for worker in workers]
    text = "Longest time that the event loop was late, within the last 10 to 20 seconds."
    yield Family("atlas_event_loop_lag_seconds", "gauge", text, lags, "seconds")


def _request_families(totals: Totals, workers: Iterable[WorkerNumbers]) -> Iterator[Family]:
    series = sorted(totals.series.items())
    responses = [
        Sample(count, (*_labels(key), ("status", name)), "_total")
        for key, each in series
        for name, count in zip(CLASS_NAMES, each.responses, strict=True)
        if count
    ]
    yield Family("atlas_http_requests", "counter", "Requests by method, route and class of the status.", responses)
    durations = [sample for key, each in series for sample in _histogram(_labels(key), each)]
    text = "Time from the head of a request to the end of its response."
    yield Family("atlas_http_request_duration_seconds", "histogram", text, durations, "seconds")
    in_work = sum(worker.read["in_work"] for worker in workers)
    yield Family("atlas_http_requests_in_progress", "gauge", "Requests that are worked on.", [Sample(in_work)])
    refused = [Sample(count, (("reason", reason),), "_total") for reason, count in sorted(totals.refused.items())]
    text = "Requests that were refused: malformed, or over a limit."
    yield Family("atlas_http_requests_refused", "counter", text, refused)


def _connection_families(totals: Totals, workers: Sequence[WorkerNumbers]) -> Iterator[Family]:
    numbers = totals.numbers
    opened, active = (sum(worker.read[name] for worker in workers) for name in ("open", "active"))
    states = (("active", active), ("idle", max(opened - active, 0)))
    samples = [Sample(count, (("state", state),)) for state, count in states]
    yield Family("atlas_connections", "gauge", "Open connections, with a request (active) and without (idle).", samples)
    for name, text in (
        ("accepted", "Connections that were accepted."),
        ("unmade", "Connections that ended before a request could be read, as by a TLS handshake that failed."),
    ):
        word = "failed" if name == "unmade" else name
        yield Family(f"atlas_connections_{word}", "counter", text, [Sample(numbers[name], (), "_total")])
    for name, text in (("received", "Bytes received, without those of TLS."), ("sent", "Bytes sent, without TLS.")):
        yield Family(f"atlas_{name}_bytes", "counter", text, [Sample(numbers[name], (), "_total")], "bytes")
    timeouts = [Sample(totals.timeouts[kind], (("kind", kind),), "_total") for kind in TIMEOUT_NAMES]
    yield Family("atlas_timeouts", "counter", "Time-outs by kind.", timeouts)


def worker_families(pids: Mapping[str, int], states: Mapping[str, int], restarts: int) -> Iterator[Family]:
    """Iterate over the metrics of the processes.

    :param pids: process IDs by the name of the process.
    :param states: the number of workers by state.
    :param restarts: how many workers were started in the place of another one.
    """
    samples = [Sample(count, (("state", state),)) for state, count in states.items()]
    yield Family("atlas_workers", "gauge", "Processes that serve, by state.", samples)
    text = "Workers that were started in the place of another one."
    yield Family("atlas_worker_restarts", "counter", text, [Sample(restarts, (), "_total")])
    memory = [
        Sample(size, (("process", name), ("kind", kind)))
        for name, pid in pids.items()
        for kind, size in memory_of(pid).items()
    ]
    text = "Memory of the processes: resident (rss), and with shared pages in parts (pss)."
    yield Family("atlas_memory_bytes", "gauge", text, memory, "bytes")


def _labels(key: tuple[str, str]) -> Labels:
    group, method = key
    return ("method", method), ("route", group)


def _histogram(labels: Labels, series: SeriesTotal) -> Iterator[Sample]:
    bounds = [*(f"{bound:g}" if bound % 1 else f"{bound:.1f}" for bound in BOUNDS), "+Inf"]
    below = list(accumulate(series.durations))
    if not below[-1]:  # requests that were refused only
        return
    for bound, count in zip(bounds, below, strict=True):
        yield Sample(count, (*labels, ("le", bound)), "_bucket")
    yield Sample(below[-1], labels, "_count")
    yield Sample(series.seconds, labels, "_sum")
