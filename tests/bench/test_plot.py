"""The picture."""

from __future__ import annotations

from xml.etree import ElementTree

from bench.side_by_side import plot
from bench.side_by_side.rounds import Entry, Outcome
from bench.side_by_side.scenarios import select
from tests.bench.test_rounds import a_round

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*outcomes: Outcome) -> ElementTree.Element:
    return ElementTree.fromstring(plot.render(outcomes, "uvicorn", "5 rounds & <one> worker"))


def hello(**rates: float) -> Outcome:
    return Outcome(select(["hello"])[0], [Entry(name, [a_round(rate)]) for name, rate in rates.items()])


def texts(root: ElementTree.Element) -> list[str]:
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def test_it_is_well_formed_and_escaped():
    assert "5 rounds & <one> worker" in texts(drawn(hello(atlas=1)))


def test_bars_are_as_long_as_their_shares():
    root = drawn(hello(atlas=100_000, uvicorn=50_000))
    rates = [rect for rect in root.iter(f"{SVG}rect") if rect.get("x") == str(plot.MARGIN + plot.LABEL)]
    atlas, uvicorn = (float(rect.get("width", 0)) for rect in rates)
    assert atlas == 2 * uvicorn
    assert [rect.get("fill") for rect in rates] == [plot.COLOURS["atlas"], plot.COLOURS["uvicorn"]]


def test_figures_and_ratios_are_written():
    written = texts(drawn(hello(atlas=100_000, uvicorn=40_000)))
    assert "100,0002.50x" in written
    assert "10.0 µs0.40x" in written


def test_everything_is_inside_the_picture():
    root = drawn(hello(atlas=1, uvicorn=3, granian=2, nginx=9, floor=10), hello(atlas=1))
    height, width = int(root.get("height", 0)), int(root.get("width", 0))
    for text in root.iter(f"{SVG}text"):
        assert 0 < float(text.get("y", 0)) < height
        assert 0 < float(text.get("x", 0)) < width - 60


def test_panels_without_figures_are_left_out():
    root = drawn(Outcome(select(["post"])[0], [Entry("atlas", skipped="gone")]), hello(atlas=1))
    panels = [text for text in root.iter(f"{SVG}text") if text.get("class") == "panel"]
    assert len(panels) == 1


def test_durations_have_about_three_digits():
    assert plot.microseconds(6.53e-6) == "6.5 µs"
    assert plot.microseconds(0.0008371) == "837 µs"


def test_a_strange_server_gets_a_colour_and_logging_does_not_change_it():
    assert plot.colour("mine") == plot.OTHER
    assert plot.colour("atlas + log") == plot.colour("atlas")
