"""Sums of the counters of several processes, those that have ended included."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from atlas._speedups.http.counters import TIMEOUT_NAMES

__all__ = ["SeriesTotal", "Totals"]

_SUMMED = ("accepted", "unmade", "received", "sent")


@dataclass(slots=True)
class SeriesTotal:
    """The requests of one group and method: ``responses`` by class of status, ``durations`` by bucket, their sum."""

    responses: list[int]
    durations: list[int]
    seconds: float

    def add(self, responses: list[int], durations: list[int], seconds: float) -> None:
        self.responses = [mine + theirs for mine, theirs in zip(self.responses, responses, strict=True)]
        self.durations = [mine + theirs for mine, theirs in zip(self.durations, durations, strict=True)]
        self.seconds += seconds


@dataclass(slots=True)
class Totals:
    """Sums of what :meth:`atlas._speedups.http.counters.Counters.read` returns.

    ``numbers``: connections and bytes. ``timeouts`` and ``refused``: by kind. ``series``: by group and method.
    """

    numbers: Counter[str] = field(default_factory=Counter)
    timeouts: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    series: dict[tuple[str, str], SeriesTotal] = field(default_factory=dict)

    def add(self, read: Mapping[str, Any]) -> None:
        """Add the counters of a process."""
        self.numbers.update({name: read[name] for name in _SUMMED})
        self.timeouts.update(dict(zip(TIMEOUT_NAMES, read["timeouts"], strict=True)))
        self.refused.update(read["refused"])
        for group, method, responses, durations, seconds in read["series"]:
            self._add_series((group, method), responses, durations, seconds)

    def add_totals(self, others: Totals) -> None:
        """Add other sums."""
        self.numbers.update(others.numbers)
        self.timeouts.update(others.timeouts)
        self.refused.update(others.refused)
        for key, series in others.series.items():
            self._add_series(key, series.responses, series.durations, series.seconds)

    def _add_series(self, key: tuple[str, str], responses: list[int], durations: list[int], seconds: float) -> None:
        if key in self.series:
            self.series[key].add(responses, durations, seconds)
        else:
            self.series[key] = SeriesTotal(responses, durations, seconds)
