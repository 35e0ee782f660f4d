"""Medians, spreads, and which servers run which scenario."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.side_by_side import rounds, servers
from bench.side_by_side.latency import Latencies
from bench.side_by_side.processes import StartFailed
from bench.side_by_side.rounds import Entry, Plan, Ratios, Round
from bench.side_by_side.scenarios import SCENARIOS, select

PLAN = Plan(seconds=1, rounds=3, server_core=0, load_core=1)


def a_round(rate: float, **more: float) -> Round:
    fields = {
        "cpu": 1 / rate,
        "p50": 0.0005,
        "p99": 0.001,
        "busy": 1.0,
        "load_busy": 0.5,
        "others": 0.0,
        "errors": 0,
    } | more
    return Round(requests_per_second=rate, **fields)  # type: ignore[arg-type]


def test_medians_leave_the_outlier_out():
    entry = Entry("atlas", [a_round(100), a_round(110), a_round(10, errors=2), a_round(105), a_round(108)])
    assert entry.requests_per_second == 105
    assert entry.cpu == pytest.approx(1 / 105)
    assert entry.errors == 2
    assert entry.spread == pytest.approx(50 / 105)
    assert entry.cpu_spread == pytest.approx((1 / 10 - 1 / 110) / 2 * 105)


def test_an_unknown_latency_stays_unknown():
    assert Entry("atlas", [a_round(1, p99=None), a_round(2, p99=None)]).p99 is None
    assert Entry("atlas", [a_round(1, p99=None), a_round(2, p99=0.5)]).p99 == 0.5


def test_the_tail_is_taken_round_by_round():
    entry = Entry(
        "atlas", [a_round(1, p50=0.01, p99=0.03), a_round(1, p50=0.02, p99=0.03), a_round(1, p50=0.01, p99=0.1)]
    )
    assert entry.p50 == 0.01
    assert entry.tail == pytest.approx(3)
    assert Entry("atlas", [a_round(1, p50=None, p99=None)]).tail is None


def test_latencies_of_all_rounds_are_one_heap():
    first, second = Latencies({100: 2}), Latencies({100: 1, 300: 1})
    entry = Entry("atlas", [replace(a_round(1), latencies=first), a_round(1), replace(a_round(1), latencies=second)])
    assert entry.latencies == Latencies({100: 3, 300: 1})
    assert Entry("atlas", [a_round(1)]).latencies is None


def test_ratios_are_taken_round_by_round_before_the_median():
    # The machine got three times slower for all servers in the last two rounds.
    atlas = Entry("atlas", [a_round(200), a_round(210), a_round(66)])
    uvicorn = Entry("uvicorn", [a_round(100), a_round(35), a_round(33)])
    ratios = Ratios.between(atlas, uvicorn)
    assert ratios.requests_per_second == pytest.approx(2)
    assert ratios.cpu == pytest.approx(0.5)
    assert ratios.p99 == 1


def test_there_is_no_ratio_without_a_base_or_to_what_is_not_known():
    atlas = Entry("atlas", [a_round(200, p99=None)])
    assert Ratios.between(atlas, None) == Ratios(None, None, None)
    assert Ratios.between(atlas, Entry("uvicorn", [a_round(100)])).p99 is None


def labels(scenario: str, names: list[str]) -> list[str]:
    return [one.label for one in rounds.variants(select([scenario])[0], servers.select(names))]


def test_baselines_run_the_scenarios_that_name_them():
    assert labels("hello", []) == ["atlas", "uvicorn", "granian", "h2corn", "gunicorn", "nginx", "floor"]
    assert labels("suspend", []) == ["atlas", "uvicorn", "granian", "h2corn", "gunicorn"]
    assert labels("post", []) == ["atlas", "uvicorn", "granian", "h2corn", "gunicorn", "floor"]


def test_the_access_log_scenario_has_every_server_twice():
    assert labels("access_log", ["atlas", "uvicorn"]) == ["atlas", "atlas + log", "uvicorn", "uvicorn + log"]
    assert labels("access_log", ["floor", "nginx"]) == []


def test_rounds_are_interleaved(monkeypatch, tmp_path):
    order = []

    def one_round(variant, scenario, plan, directory):
        order.append(variant.label)
        return a_round(1)

    monkeypatch.setattr(rounds, "one_round", one_round)
    rounds.measure(SCENARIOS[0], servers.select(["atlas", "uvicorn"]), PLAN, tmp_path, lambda line: None)
    assert order == ["atlas", "uvicorn"] * 3


def test_a_server_that_fails_is_left_out_from_then_on_and_says_why(monkeypatch, tmp_path):
    def one_round(variant, scenario, plan, directory):
        if variant.label == "atlas":
            raise StartFailed("no such app")
        return a_round(1)

    monkeypatch.setattr(rounds, "one_round", one_round)
    told = []
    outcome = rounds.measure(SCENARIOS[0], servers.select(["atlas", "uvicorn"]), PLAN, tmp_path, told.append)
    atlas, uvicorn = outcome.entries
    assert (atlas.rounds, atlas.skipped) == ([], "no such app")
    assert len(uvicorn.rounds) == 3
    assert len(told) == 4
    assert outcome.entry("atlas") is None
    assert outcome.entry("uvicorn") is uvicorn


def test_a_disturbed_round_is_repeated_and_the_least_disturbed_counts(monkeypatch, tmp_path):
    played = [a_round(1, others=0.5), a_round(2, others=0.3), a_round(3, others=0.4), a_round(4)]
    monkeypatch.setattr(rounds, "one_round", lambda *_: played.pop(0))
    (variant,) = rounds.variants(SCENARIOS[0], servers.select(["atlas"]))
    assert rounds.quiet_round(variant, SCENARIOS[0], PLAN, tmp_path).requests_per_second == 2
    assert len(played) == 1
    assert rounds.quiet_round(variant, SCENARIOS[0], PLAN, tmp_path).requests_per_second == 4


def test_the_cores_of_a_plan_are_all_where_nothing_is_pinned():
    assert PLAN.cores == {0, 1}
    assert 0 in Plan(1, 1, None, None).cores
