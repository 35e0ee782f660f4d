"""What was measured, as JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bench.side_by_side import results
from bench.side_by_side.latency import Latencies
from bench.side_by_side.rounds import Entry, Outcome
from bench.side_by_side.scenarios import SCENARIOS
from tests.bench.test_rounds import PLAN, a_round


def test_every_round_is_in_it():
    entries = [Entry("atlas", [a_round(100), a_round(200)]), Entry("granian", skipped="it ended")]
    document = results.document([Outcome(SCENARIOS[0], entries)], PLAN, ["uvicorn"], {"python": "3.11"}, goals=[])
    atlas, granian = json.loads(json.dumps(document))["results"][0]["entries"]
    assert [one["requests_per_second"] for one in atlas["rounds"]] == [100, 200]
    assert atlas["requests_per_second"] == 150
    assert granian == {"server": "granian", "skipped": "it ended"}
    assert atlas["ratios"]["uvicorn"]["cpu"] is None
    assert document["plan"]["rounds"] == 3
    assert document["machine"] == {"python": "3.11"}
    assert document["goals"] == []


def test_ratios_are_to_every_base_and_latencies_are_summed_up_once():
    measured = replace(a_round(100), latencies=Latencies({100: 99, 4000: 1}))
    entries = [Entry("atlas", [measured]), Entry("floor", [a_round(200)]), Entry("starlette", [a_round(50)])]
    document = results.document([Outcome(SCENARIOS[0], entries)], PLAN, ["floor", "starlette"], {})
    atlas = json.loads(json.dumps(document))["results"][0]["entries"][0]
    assert atlas["ratios"]["floor"]["cpu"] == pytest.approx(2)
    assert atlas["ratios"]["starlette"]["requests_per_second"] == 2
    assert atlas["latency"]["percentiles"]["50"] == 100
    assert atlas["latency"]["most"] == 4000
    assert "latencies" not in atlas["rounds"][0]
