"""The decision: which benchmarks became slower, and which are missing. From data alone, without a process.

A benchmark fails if the limit (as pytest-benchmark's ``--benchmark-compare-fail``) is exceeded *and* it executes more
instructions than before. Time alone may come from the machine; a count does not.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from statistics import median
from typing import Any

Document = Mapping[str, Any]
"""What pytest-benchmark writes to ``--benchmark-json``."""
Counts = Mapping[str, int]
"""Instructions per call, by benchmark."""

TOLERANCE = 0.02  # share by which two counts of the same code may differ
LIMIT = re.compile(r"(min|max|mean|median|stddev|iqr):(?:(\d+(?:\.\d+)?)%|(\d*\.?\d+(?:[eE][-+]?\d+)?))")


@dataclass(frozen=True, slots=True)
class Limit:
    """How much slower a benchmark may become: a share of the time before, or seconds; the other one is None."""

    statistic: str
    share: float | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Read a limit in pytest-benchmark's form: ``median:8%``, ``min:0.000002``.

        :raises ValueError: for any other form.
        """
        if (found := LIMIT.fullmatch(text)) is None:
            raise ValueError(f"expected STATISTIC:PERCENT% or STATISTIC:SECONDS, as in median:8%, got {text!r}")
        statistic, percent, seconds = found.groups()
        return cls(statistic, float(percent) / 100 if percent else None, float(seconds) if seconds else None)

    def __str__(self) -> str:
        return f"{self.statistic}:{self.seconds:g}" if self.share is None else f"{self.statistic}:{self.share:.0%}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The times of a benchmark in each round, in seconds: of the base, and of the working tree."""

    name: str
    base: Sequence[float]
    tree: Sequence[float]

    @property
    def ratio(self) -> float:
        """Time as a multiple of the base's: the median of the ratios of each round."""
        return median(after / before for before, after in zip(self.base, self.tree, strict=True))

    @property
    def difference(self) -> float:
        """Seconds more than the base: the median of the differences of each round."""
        return median(after - before for before, after in zip(self.base, self.tree, strict=True))

    def exceeds(self, limit: Limit) -> bool:
        """Whether the working tree is slower than the limit allows."""
        if limit.share is None:
            return limit.seconds is not None and self.difference > limit.seconds
        return self.ratio > 1 + limit.share

    def undercuts(self, limit: Limit) -> bool:
        """Whether the working tree is faster, by more than the limit."""
        return Comparison(self.name, self.tree, self.base).exceeds(limit)


class Outcome(Enum):
    """What is said about one benchmark."""

    AS_BEFORE = "as before"
    FASTER = "faster"
    SLOWER = "SLOWER"
    ONLY_TIME = "slower, with as many instructions as before"
    NEW = "new: nothing to compare with"
    MISSING = "MISSING"
    ACCEPTED = "missing, as accepted"

    @property
    def fails(self) -> bool:
        """Whether the run fails."""
        return self in (Outcome.SLOWER, Outcome.MISSING)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said about one benchmark; ``comparison`` is None where there are no times of both."""

    name: str
    outcome: Outcome
    comparison: Comparison | None = None
    instructions: tuple[int, int] | None = None
    remark: str = ""

    def __str__(self) -> str:
        words = [f"{self.name}: {self.outcome.value}"]
        if self.comparison is not None:
            words.append(f"{self.comparison.ratio - 1:+.1%} time")
        if self.instructions is not None:
            before, after = self.instructions
            words.append(f"{after / before - 1:+.1%} instructions ({before:,} to {after:,})")
        if self.remark:
            words.append(self.remark)
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class Names:
    """The benchmarks that pytest collected from the base's files and from the working tree's.

    ``accepted`` are patterns of names that the base may have alone: they were renamed or removed on purpose.
    """

    base: Collection[str]
    tree: Collection[str]
    accepted: Sequence[str] = ()

    def accepts(self, name: str) -> bool:
        """Whether a name may be missing. In a pattern, brackets stand for themselves."""
        return any(fnmatchcase(name, pattern.replace("[", "[[]")) for pattern in self.accepted)


def times(documents: Sequence[Document], statistic: str) -> dict[str, list[float]]:
    """The statistic of each benchmark in each round. A benchmark that is not in every round is left out."""
    rounds = [{each["fullname"]: float(each["stats"][statistic]) for each in one["benchmarks"]} for one in documents]
    return {name: [one[name] for one in rounds] for name in rounds[0] if all(name in one for one in rounds)}


def compare(base: Sequence[Document], tree: Sequence[Document], limit: Limit) -> list[Comparison]:
    """The benchmarks that were measured in both trees in every round."""
    before, after = times(base, limit.statistic), times(tree, limit.statistic)
    return [Comparison(name, before[name], after[name]) for name in after if name in before]


def judge(
    base: Sequence[Document],
    tree: Sequence[Document],
    limit: Limit,
    names: Names,
    counts: tuple[Counts, Counts],
    tolerance: float = TOLERANCE,
) -> list[Verdict]:
    """Decide about every benchmark.

    :param base: pytest-benchmark's JSON of each round on the base commit.
    :param tree: that of the working tree, as many rounds.
    :param limit: how much slower a benchmark may become.
    :param names: what was collected.
    :param counts: instructions per call, of the base and of the working tree, of those that exceed the limit at least.
    :param tolerance: the share by which a count may grow.
    :raises KeyError: if the instructions of a benchmark that exceeds the limit were not counted.
    """
    compared = compare(base, tree, limit)
    verdicts = [judge_times(each, limit, counts, tolerance) for each in compared]
    return [*verdicts, *judge_names(names, {each.name for each in compared}, set(times(tree, limit.statistic)))]


def judge_times(each: Comparison, limit: Limit, counts: tuple[Counts, Counts], tolerance: float = TOLERANCE) -> Verdict:
    """Decide about a benchmark that was measured in both trees."""
    if not each.exceeds(limit):
        outcome = Outcome.FASTER if each.undercuts(limit) else Outcome.AS_BEFORE
        return Verdict(each.name, outcome, each)
    before, after = counts[0][each.name], counts[1][each.name]
    moved = after > before * (1 + tolerance)
    return Verdict(each.name, Outcome.SLOWER if moved else Outcome.ONLY_TIME, each, (before, after))


def judge_names(names: Names, compared: Collection[str], measured: Collection[str]) -> list[Verdict]:
    """Decide about the benchmarks that were not measured in both trees."""
    verdicts = []
    for name in sorted(set(names.base) - set(names.tree)):
        close = difflib.get_close_matches(name, sorted(set(names.tree) - set(names.base)), n=1, cutoff=0.8)
        outcome = Outcome.ACCEPTED if names.accepts(name) else Outcome.MISSING
        verdicts.append(Verdict(name, outcome, remark=f"renamed to {close[0]}?" if close else "removed, or renamed"))
    for name in sorted(set(names.tree) - set(compared)):
        if name not in measured:
            remark = "not measured in the working tree, but skipped or failed: see tree-1.log"
            verdicts.append(Verdict(name, Outcome.MISSING, remark=remark))
        elif name in names.base and not names.accepts(name):
            remark = "not measured in the base, but skipped or failed: see base-1.log"
            verdicts.append(Verdict(name, Outcome.MISSING, remark=remark))
        else:
            verdicts.append(Verdict(name, Outcome.NEW))
    return verdicts
