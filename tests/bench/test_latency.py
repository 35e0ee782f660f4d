"""Latencies: reading them, percentiles, bins."""

from __future__ import annotations

import pytest

from bench.side_by_side.latency import PER_DECADE, Latencies


def test_lines_of_the_script_are_read_among_others():
    output = "Requests/sec: 1\nlatency 12 3\nlatency 900 1\n  latency 7 7\n"
    assert Latencies.parse(output) == Latencies({12: 3, 900: 1})
    assert Latencies.parse("Latency  1.19ms  123us").counts == {}


@pytest.mark.parametrize(("share", "microseconds"), [(1, 10), (50, 10), (90, 20), (91, 300), (100, 300)])
def test_percentiles(share, microseconds):
    assert Latencies({300: 1, 10: 5, 20: 4}).percentile(share) == microseconds


def test_nothing_has_no_percentile():
    with pytest.raises(ValueError, match="no latencies"):
        Latencies({}).percentile(50)


def test_bins_grow_with_the_latency_and_hold_everything():
    bins = Latencies({0: 1, 1: 1, 100: 2, 104: 2, 1000: 4}).histogram()
    assert [share for _, share in bins] == pytest.approx([0.2, 0.4, 0.4])
    assert [lower for lower, _ in bins] == pytest.approx([1, 100, 1000])
    assert 10 ** (1 / PER_DECADE) > 1.04, "100 and 104 share a bin"


def test_rounds_are_pooled():
    assert Latencies.pooled([Latencies({1: 1}), Latencies({1: 2, 5: 1})]) == Latencies({1: 3, 5: 1})
