"""The page about performance: its places are filled with what was measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench import in_process, page
from bench.side_by_side import results
from bench.side_by_side.latency import Latencies
from bench.side_by_side.rounds import Entry, Outcome
from bench.side_by_side.web import __main__ as web
from bench.side_by_side.web.endpoints import ENDPOINTS
from tests.bench.test_rounds import PLAN, a_round

ROOT = Path(__file__).parents[2]
TEXT, USER, *_ = ENDPOINTS
MACHINE = {"python": "3.11.7", "kernel": "6.1", "processor": "Some", "cores": "2", "uvicorn": "0.54.0"}


def measured():
    counted = Latencies({600: 99, 5000: 1})
    text = Outcome(
        TEXT,
        [
            Entry("atlas", [replace(a_round(100_000, busy=0.9), latencies=counted), a_round(104_000, busy=0.9)]),
            Entry("starlette", [a_round(40_000), a_round(40_000)]),
            Entry("falcon", skipped="it ended"),
            Entry("floor", [a_round(150_000), a_round(156_000, others=0.25)]),
        ],
    )
    user = Outcome(USER, [Entry("atlas", [a_round(5_000)])])
    goals = [{"scenario": "text", "aim": {"who": "atlas", "than": "floor", "cpu": 1.5, "requests": None}}]
    goals = [{**goals[0], "ratio": 1.5, "reached": True}]
    return json.loads(json.dumps(results.document([text, user], PLAN, web.BASES, MACHINE, goals=goals)))


def rows(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_places_are_filled_again_and_again_and_the_rest_stays():
    text = "# A\n\n<!-- figures: one -->\nold\n<!-- end -->\n\nB\n\n<!-- figures: two -->\nkept\n<!-- end -->\n"
    once = page.fill(text, {"one": "new"})
    assert once == text.replace("old\n", "\nnew\n\n")
    assert page.fill(once, {"one": "new"}) == once


def test_a_table_without_a_place_is_an_error():
    with pytest.raises(ValueError, match="no place for three"):
        page.fill("<!-- figures: one -->\n<!-- end -->", {"three": "x"})


def test_every_table_has_its_place_on_the_page():
    places = {match[2] for match in page.PLACE.finditer((ROOT / "docs/performance.md").read_text(encoding="utf-8"))}
    assert places == {*page.web_tables(measured()), "in-process", "instructions"}


def test_cpu_time_has_the_floor_beside_it():
    head, rule, atlas, starlette, floor = rows(page.endpoint_table(measured(), page.cpu_cell))
    assert head == ["", "`text`", "`user`"]
    assert rule == ["---", "--:", "--:"]
    assert atlas == ["**Atlas**", "9.8 (1.50x)", "200"]
    assert starlette == ["Starlette", "25.0 (3.83x)", ""]
    assert floor == ["the floor", "6.5", ""]


def test_requests_have_starlette_beside_them_and_a_star_where_the_server_was_idle():
    table = rows(page.endpoint_table(measured(), page.rate_cell))
    assert table[2] == ["**Atlas**", "102,000\\* (2.55x)", "5,000"]
    assert table[3] == ["Starlette", "40,000 (1.00x)", ""]


def test_goals_and_latencies():
    assert rows(page.goal_table(measured()))[2:] == [
        ["`text`", "Atlas", "at most 1.5x the CPU time of the floor", "1.50x", "yes"]
    ]
    assert rows(page.latency_table(measured()))[2:] == [["**Atlas**", "0.60", "0.60", "0.60", "5.00", "5.00"]]


def test_the_run_is_described_with_its_noise():
    text = page.run_of(measured())
    assert "3 rounds of 1 s" in text
    assert "Python 3.11.7, uvicorn 0.54.0." in text
    assert "up to 25 % of a core" in text


def test_without_a_socket():
    table = rows(page.in_process_table({"microseconds": {"atlas": 2.5, "bare": 0.5, "falcon": 5.0}}))
    assert table[2:] == [
        ["a bare ASGI function", "0.50", "0.00"],
        ["**Atlas**", "2.50", "2.00"],
        ["Falcon", "5.00", "4.50"],
    ]


def test_instructions_of_every_platform():
    table = rows(
        page.instruction_table({"3.11 x86_64": {"hello": 33381}, "3.13 arm64": {"hello": 1, "web-user": 2000}})
    )
    assert table[0] == ["instructions per request", "3.11 x86_64", "3.13 arm64"]
    assert table[2:] == [["`hello`", "33,381", "1"], ["`web-user`", "", "2,000"]]


def test_what_was_not_measured_keeps_its_place_and_is_told(tmp_path):
    docs, found = tmp_path / "docs", tmp_path / "results"
    docs.mkdir()
    (docs / "performance.md").write_text((ROOT / "docs/performance.md").read_text(encoding="utf-8"))
    in_process.save(found / in_process.FILE, {"bare": 0.5, "atlas": 12.34})
    (complaint,) = page.publish(found, docs)
    assert "web.json is not there" in complaint
    assert "| **Atlas** | 12.34 | 11.84 |" in (docs / "performance.md").read_text()


def test_page_and_pictures_are_written(tmp_path):
    pytest.importorskip("matplotlib")
    docs, found = tmp_path / "docs", tmp_path / "results"
    docs.mkdir()
    found.mkdir()
    (docs / "performance.md").write_text((ROOT / "docs/performance.md").read_text(encoding="utf-8"))
    (found / web.FILE).write_text(json.dumps(measured()))
    (complaint,) = page.publish(found, docs, partial=True)
    assert "in_process.json is not there" in complaint
    assert "9.8 (1.50x)" in (docs / "performance.md").read_text()
    assert {file.name for file in (docs / "images").iterdir()} == {"web_cpu.svg", "web_latency.svg"}


def test_a_run_of_some_endpoints_leaves_the_page_as_it_is(tmp_path):
    docs, found = tmp_path / "docs", tmp_path / "results"
    docs.mkdir()
    before = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    (docs / "performance.md").write_text(before)
    in_process.save(found / in_process.FILE, {"bare": 0.5})
    (found / web.FILE).write_text(json.dumps(measured()))
    (complaint,) = page.publish(found, docs)
    assert "web.json is without page, order, pipelined, five, starlette, floor: the page keeps what it has" in complaint
    assert not (docs / "images").exists()
    assert "9.8 (1.50x)" not in (docs / "performance.md").read_text()
