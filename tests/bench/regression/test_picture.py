"""The plot of a regression run."""

from __future__ import annotations

from xml.etree import ElementTree

from bench.regression.picture import render
from bench.regression.verdict import Comparison, Limit, Outcome, Verdict


def test_a_row_for_each_benchmark_that_was_compared():
    verdicts = [
        Verdict("bench/test_x.py::a[<b>]", Outcome.SLOWER, Comparison("a", [1.0, 1.0, 1.0], [1.2, 1.3, 4.0]), (1, 2)),
        Verdict("bench/test_x.py::c", Outcome.FASTER, Comparison("c", [1.0], [0.4])),
        Verdict("bench/test_x.py::gone", Outcome.MISSING),
    ]
    picture = ElementTree.fromstring(render(verdicts, Limit.parse("median:8%"), "working tree & base"))
    texts = ["".join(each.itertext()) for each in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"test_x.py::a[<b>]", "1.30x", "test_x.py::c", "0.40x", "+8%", "working tree & base"} <= set(texts)
    assert not any("gone" in text for text in texts)
    assert len(list(picture.iter("{http://www.w3.org/2000/svg}circle"))) == 2


def test_nothing_compared_is_an_empty_plot():
    assert ElementTree.fromstring(render([], Limit.parse("min:0.1"), "")).tag.endswith("svg")
