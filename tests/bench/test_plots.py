"""The pictures of the page about performance."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

pytest.importorskip("matplotlib")

from bench import plots
from bench.side_by_side.web.endpoints import ENDPOINTS
from bench.side_by_side.web.frameworks import FRAMEWORKS
from tests.bench.test_page import measured

SVG = "{http://www.w3.org/2000/svg}"


def texts(drawn: str) -> list[str]:
    return ["".join(text.itertext()).strip() for text in ElementTree.fromstring(drawn).iter(f"{SVG}text")]


def test_every_endpoint_and_every_line_has_a_name():
    assert set(plots.PANELS) == {endpoint.name for endpoint in ENDPOINTS}
    assert set(plots.SHORT) == {server.name for server in FRAMEWORKS} - {"floor"}


def test_cpu_time_stands_beside_each_name_and_the_floor_above():
    written = texts(plots.cpu(measured()))
    assert {"Atlas", "9.8", "Starlette", "25.0", "the floor: 6.5", "a small text"} <= set(written)
    assert "Falcon" not in written, "what was not measured is not drawn"


def test_half_and_99_percent_are_marked():
    drawn = plots.latency(measured())
    assert drawn is not None
    assert {"Atlas", "half within 0.6 ms", "99 % within 0.6 ms"} <= set(texts(drawn))


def test_without_latencies_there_is_no_picture():
    document = measured()
    document["results"] = [result for result in document["results"] if result["scenario"] != "text"]
    assert plots.latency(document) is None


def test_the_same_figures_make_the_same_file():
    assert plots.cpu(measured()) == plots.cpu(measured())


def test_colours_follow_the_reader():
    drawn = plots.cpu(measured())
    head, rules, body = drawn.partition("</style>")[0], "prefers-color-scheme: dark", drawn.partition("</style>")[2]
    assert rules in head
    for light in plots.NAMES:
        assert light in head
        assert light not in body, "no colour is left that does not follow"
    assert "var(--ink)" in body
