"""How long the requests of a round took: all of them, not a percentile."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LINE = re.compile(r"^latency (\d+) (\d+)$", re.MULTILINE)
PER_DECADE = 20  # bins from one power of ten to the next
PERCENTILES = (50.0, 90.0, 99.0, 99.9)


@dataclass(frozen=True, slots=True)
class Latencies:
    """How many requests took how many microseconds."""

    counts: Mapping[int, int]

    @classmethod
    def parse(cls, output: str) -> Latencies:
        """Read what ``latencies.lua`` prints."""
        return cls({int(microseconds): int(count) for microseconds, count in LINE.findall(output)})

    @classmethod
    def pooled(cls, several: Iterable[Latencies]) -> Latencies:
        """Those of several rounds as if they had been one."""
        total: Counter[int] = Counter()
        for one in several:
            total.update(one.counts)
        return cls(total)

    def percentile(self, share: float) -> int:
        """The microseconds that this many in a hundred did not exceed. Raises ValueError if there is nothing."""
        left = math.ceil(sum(self.counts.values()) * share / 100)
        for microseconds in sorted(self.counts):
            left -= self.counts[microseconds]
            if left <= 0:
                return microseconds
        raise ValueError("no latencies")

    def histogram(self) -> list[tuple[float, float]]:
        """The share of all requests in each bin, by the bin's lower end in microseconds; bins grow with the latency."""
        bins: Counter[int] = Counter()
        for microseconds, count in self.counts.items():
            bins[math.floor(math.log10(max(microseconds, 1)) * PER_DECADE)] += count
        total = sum(bins.values())
        return [(10 ** (number / PER_DECADE), bins[number] / total) for number in sorted(bins)]

    def summary(self) -> dict[str, object]:
        """Percentiles, maximum and histogram, for the results."""
        percentiles = {f"{share:g}": self.percentile(share) for share in PERCENTILES}
        return {"percentiles": percentiles, "most": max(self.counts), "histogram": self.histogram()}
