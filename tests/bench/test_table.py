"""The result for a terminal."""

from __future__ import annotations

import pytest

from bench.side_by_side import table
from bench.side_by_side.rounds import Entry, Outcome
from bench.side_by_side.scenarios import select
from tests.bench.test_rounds import PLAN, a_round


def outcome(scenario: str = "hello", **rates: float) -> Outcome:
    return Outcome(select([scenario])[0], [Entry(name, [a_round(rate)]) for name, rate in rates.items()])


@pytest.mark.parametrize(
    ("share", "drawn"), [(0, ""), (1, "████"), (0.5, "██"), (1 / 32, "▏"), (0.27, "█▏"), (3, "████"), (-1, "")]
)
def test_bars_are_drawn_in_eighths(share, drawn):
    assert table.bar(share, 4) == drawn


@pytest.mark.parametrize(
    ("value", "text"), [(1.5, "1.50x"), (15, "15.0x"), (9.96, "10.0x"), (0.004, "0.00x"), (None, "")]
)
def test_multiples(value, text):
    assert table.multiple(value) == text


def test_rows_have_figures_and_ratios_to_the_base():
    text = table.render(outcome(atlas=100_000, uvicorn=40_000), PLAN, "uvicorn")
    (row,) = [line for line in text.splitlines() if line.startswith("  atlas ")]
    assert row.split()[:5] == ["atlas", "100,000", "±0.0%", "2.50x", "10.0"]
    assert "0.40x" in row


def test_columns_stand_below_their_heads():
    lines = table.render(outcome(atlas=1_234_567, uvicorn=40_000), PLAN, "uvicorn").splitlines()
    head, first = lines[1], lines[2]
    for name, figure in (
        ("requests/s", "1,234,567"),
        ("CPU us/req", "0.8"),
        ("p50 ms", "0.50"),
        ("p99 ms", "1.00"),
        ("core", "100%"),
    ):
        assert head.index(name) + len(name) == first.index(figure) + len(figure), name


def test_goals_are_judged():
    text = table.render(outcome(atlas=100, uvicorn=40), PLAN, "uvicorn")
    assert "goal: 2.0x uvicorn's requests/s: 2.50x, reached" in text
    assert "goal: 0.5x uvicorn's CPU time: 0.40x, reached" in text
    text = table.render(outcome(atlas=60, uvicorn=40), PLAN, "uvicorn")
    assert "1.50x, not reached" in text
    assert "0.67x, not reached" in text


def test_goals_beside_other_servers_are_judged():
    text = table.render(outcome(atlas=100, uvicorn=40, h2corn=75, floor=180), PLAN, "uvicorn")
    assert "goal: 2.1x floor's CPU time: 1.80x, reached" in text
    assert "goal: 0.72x h2corn's CPU time: 0.75x, not reached" in text


def test_the_tail_of_a_download_is_judged():
    text = table.render(outcome("download", atlas=100, uvicorn=50), PLAN, "uvicorn")
    assert "goal: p99 within 2.0x of p50: 2.00x, reached" in text
    entries = [Entry("atlas", [a_round(100, p99=0.0012)]), Entry("uvicorn", [a_round(50)])]
    text = table.render(Outcome(select(["download"])[0], entries), PLAN, "uvicorn")
    assert "2.40x, not reached" in text


def test_without_the_base_there_are_no_ratios_and_no_verdict():
    text = table.render(outcome(atlas=100), PLAN, "uvicorn")
    assert "goal" not in text
    assert "x" not in text.splitlines()[2]


def test_the_cost_of_the_access_log_is_told():
    entries = [Entry("atlas", [a_round(100)]), Entry("atlas + log", [a_round(93)])]
    text = table.render(Outcome(select(["access_log"])[0], entries), PLAN, "uvicorn")
    assert "atlas keeps 93% of its speed with the access log on" in text


def test_everything_that_spoils_a_figure_is_said():
    entries = [
        Entry("atlas", skipped="it ended with status 3: no such app"),
        Entry("uvicorn", [a_round(10, errors=7)]),
        Entry("floor", [a_round(90, busy=0.7, others=0.4)]),
    ]
    text = table.render(Outcome(select(["hello"])[0], entries), PLAN, "uvicorn")
    assert "atlas: left out, it ended with status 3: no such app" in text
    assert "uvicorn: 7 errors" in text
    assert "70%*" in text
    assert "something else was the limit" in text
    assert "up to 40% of a core" in text


def test_a_scenario_without_one_measured_server():
    text = table.render(Outcome(select(["hello"])[0], [Entry("atlas", skipped="gone")]), PLAN, "uvicorn")
    assert text.splitlines()[1:] == ["  atlas: left out, gone"]
