"""An endpoint's table and the goals."""

from __future__ import annotations

import json

import pytest

from bench.side_by_side.rounds import Entry, Outcome
from bench.side_by_side.web import __main__ as command_line
from bench.side_by_side.web import table
from bench.side_by_side.web.endpoints import ENDPOINTS, Aim
from tests.bench.test_rounds import PLAN, a_round

TEXT, USER, PAGE, ORDER, PIPELINED, FIVE = ENDPOINTS


def outcome(endpoint, **rates):
    return Outcome(endpoint, [Entry(name.replace("_", "-"), [a_round(rate)]) for name, rate in rates.items()])


def test_rows_have_both_ratios():
    text = table.render(outcome(TEXT, atlas=100_000, starlette=40_000, floor=160_000), PLAN)
    (row,) = [line for line in text.splitlines() if line.startswith("  atlas ")]
    assert row.split()[:8] == ["atlas", "100,000", "±0.0%", "2.50x", "10.0", "±0.0%", "1.60x", "0.40x"]


def test_columns_stand_below_their_heads():
    lines = table.render(outcome(TEXT, atlas=1_234_567, starlette=40_000, floor=90_000), PLAN).splitlines()
    head, first = lines[1], lines[2]
    for name, figure in (("requests/s", "1,234,567"), ("CPU us", "0.8"), ("p99 ms", "1.00"), ("core", "100%")):
        assert head.index(name) + len(name) == first.index(figure) + len(figure), name


def test_goals_are_judged():
    text = table.render(outcome(TEXT, atlas=100, atlas_async=99, floor=149), PLAN)
    assert "goal: atlas: 1.49x the CPU time of floor, at most 1.5x: reached" in text
    assert "goal: atlas-async: 1.51x the CPU time of floor, at most 1.5x: NOT reached" in text
    text = table.render(outcome(PIPELINED, atlas=990, uvicorn=100), PLAN)
    assert "goal: atlas: 9.90x the requests/s of uvicorn, at least 10x: NOT reached" in text


def test_five_middlewares_are_compared_with_none():
    (verdict,) = table.verdicts(outcome(FIVE, atlas=100, atlas_bare=110, floor=300))
    assert (verdict.ratio, verdict.reached) == (pytest.approx(1.1), True)


def test_what_was_not_measured_is_not_judged():
    assert table.verdicts(outcome(TEXT, atlas=100)) == []
    assert table.verdicts(outcome(TEXT, floor=100)) == []
    assert table.judge(outcome(PAGE, atlas=100, floor=100), Aim("atlas", "floor")) is None


def test_failures_and_noise_are_told():
    entries = [Entry("atlas", skipped="status 500 instead of 200"), Entry("floor", [a_round(1, others=0.4)])]
    text = table.render(Outcome(PAGE, entries), PLAN)
    assert "atlas: left out, status 500 instead of 200" in text
    assert "up to 40% of a core" in text


def test_goals_and_figures_are_saved(tmp_path, capsys):
    command_line.save(tmp_path / "new" / "web.json", [outcome(TEXT, atlas=100, floor=140)], PLAN)
    document = json.loads((tmp_path / "new" / "web.json").read_text())
    (goal,) = document["goals"]
    assert (goal["scenario"], goal["aim"]["who"], goal["reached"]) == ("text", "atlas", True)
    assert document["bases"] == list(command_line.BASES)
    assert "web.json" in capsys.readouterr().out
