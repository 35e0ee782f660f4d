"""From shores to plates: numbers that the templates draw as SVG.

Depth is drawn without any geometry: a stroke along the shore, cut off at the shore, is a band of water of half its
width. Broad strokes first and narrow ones on top make the steps of a depth chart.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, dist, radians

from lakes import Lake, Point

WIDTH, HEIGHT, MARGIN = 480, 360, 46
APRON = 100  # land to the left and right of that, on the widest plates
TINTS = (0, 20, 100, 250, 500, 1000)  # metres at which the blue gets darker
STEPS = (1, 2, 5, 10, 15, 30, 60, 120)  # minutes between the lines of the grid
BARS = (1, 2, 5, 10, 20, 50, 100, 200)  # kilometres
KM_PER_DEGREE = 111.2


@dataclass(frozen=True)
class Plate:
    """A lake as it is drawn, in the units of the plate."""

    width: int
    height: int
    apron: int
    shore: str
    islands: list[str]
    bands: list[tuple[float, int]]
    ground: int
    meridians: list[tuple[float, str]]
    parallels: list[tuple[float, str]]
    bar: float
    bar_km: int
    deepest: Point
    label: Point
    label_anchor: str


def draw(lake: Lake) -> Plate:
    """Fit a lake into a plate, north up."""
    west, east = min(x for x, _ in lake.shore), max(x for x, _ in lake.shore)
    south, north = min(y for _, y in lake.shore), max(y for _, y in lake.shore)
    squeeze = cos(radians((south + north) / 2))
    scale = min((WIDTH - 2 * MARGIN) / ((east - west) * squeeze), (HEIGHT - 2 * MARGIN) / (north - south))

    def project(point: Point) -> Point:
        x = WIDTH / 2 + (point[0] - (west + east) / 2) * squeeze * scale
        y = HEIGHT / 2 - (point[1] - (south + north) / 2) * scale
        return round(x, 1), round(y, 1)

    points = [project(point) for point in lake.shore]
    ground = sum(metres < lake.depth for metres in TINTS) - 1
    reach_x, reach_y = (WIDTH / 2 + APRON) / squeeze / scale, HEIGHT / 2 / scale
    step = _grid_step(2 * reach_y)
    km = _bar(scale)
    return Plate(
        WIDTH,
        HEIGHT,
        APRON,
        smooth(points),
        [smooth([project(point) for point in island]) for island in lake.islands],
        _bands(points, ground),
        ground,
        [
            (project((at, south))[0], label)
            for at, label in _grid((west + east) / 2, reach_x, step * (2 if squeeze < 0.7 else 1), "EW")
        ],
        [(project((west, at))[1], label) for at, label in _grid((south + north) / 2, reach_y, step, "NS")],
        round(km / KM_PER_DEGREE * scale, 1),
        km,
        project(lake.deepest),
        *_place_label(points, project(lake.deepest)),
    )


def _place_label(points: list[Point], deepest: Point) -> tuple[Point, str]:
    """Where the depth is written: beside the water, to the right unless that is much farther, or has no room."""
    x, y = deepest[0], deepest[1] - 20
    pairs = zip(points, points[1:] + points[:1], strict=True)
    # Where the shore crosses the strip of the plate that the words will take.
    near = [at[0] for pair in pairs for at in pair if min(abs(pair[0][1] - y), abs(pair[1][1] - y)) < 22]
    left, right = min([x, *near]), max([x, *near])
    sides = [(right - x, (right + 16, y), "start", WIDTH - right), (x - left + 30, (left - 16, y), "end", left)]
    for _, label, anchor, room in sorted(sides):
        if room >= 92:
            return label, anchor
    return (x + 26, min(y for _, y in points) - 14), "start"


def smooth(points: list[Point]) -> str:
    """A closed curve through the points (Catmull-Rom, written as Bezier curves)."""
    count = len(points)
    parts = [f"M{points[0][0]:g} {points[0][1]:g}"]
    for index in range(count):
        before, start, end, after = (points[(index + offset) % count] for offset in (-1, 0, 1, 2))
        first = (start[0] + (end[0] - before[0]) / 6, start[1] + (end[1] - before[1]) / 6)
        second = (end[0] - (after[0] - start[0]) / 6, end[1] - (after[1] - start[1]) / 6)
        numbers = " ".join(f"{value:.1f}" for point in (first, second, end) for value in point)
        parts.append(f"C{numbers}")
    return "".join(parts) + "Z"


def _bands(points: list[Point], ground: int) -> list[tuple[float, int]]:
    """Strokes from broad to narrow and their tints; the ground itself is the fill below them."""
    pairs = list(zip(points, points[1:] + points[:1], strict=True))
    area = abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs)) / 2
    breadth = area / sum(dist(a, b) for a, b in pairs)  # half of it, where the lake is long and narrow
    widest = 2 * 0.92 * breadth
    return [(round(widest * (tint + 1) / ground, 1), tint) for tint in reversed(range(ground))]


def _grid_step(degrees: float) -> int:
    return next((step for step in STEPS if degrees * 60 / step <= 6), STEPS[-1])


def _grid(middle: float, reach: float, step: int, signs: str) -> list[tuple[float, str]]:
    first = int((middle - reach) * 60 // step + 1)
    last = int((middle + reach) * 60 // step)
    return [(minutes / 60, _label(minutes, signs)) for minutes in (number * step for number in range(first, last + 1))]


def _label(minutes: int, signs: str) -> str:
    degrees, rest = divmod(abs(minutes), 60)
    return f"{degrees}°" + (f"{rest:02d}′" if rest else "") + (signs[0] if minutes >= 0 else signs[1])  # noqa: RUF001


def _bar(scale: float) -> int:
    return min(BARS, key=lambda km: abs(km / KM_PER_DEGREE * scale - 80))


@dataclass(frozen=True)
class Section:
    """One lake beside the others, cut open: 0 is the water line, 100 the ground of the deepest."""

    lake: Lake
    path: str
    level: float


def sections(lakes: tuple[Lake, ...]) -> list[Section]:
    """The lakes as basins of the same breadth under one water line, each as deep as it is."""
    deepest = max(lake.depth for lake in lakes)
    result = []
    for lake in lakes:
        level = round(100 * lake.depth / deepest, 2)
        path = (
            f"M3 0C14 0 18 {level * 0.55:.1f} 28 {level * 0.82:.1f}C34 {level * 0.97:.1f} 42 {level} 50 {level}"
            f"C60 {level} 68 {level * 0.93:.1f} 75 {level * 0.72:.1f}C84 {level * 0.42:.1f} 86 0 97 0Z"
        )
        result.append(Section(lake, path, level))
    return result


def tint_stops(lakes: tuple[Lake, ...]) -> list[tuple[float, float]]:
    """From where to where each tint goes in the sections, in percent of the deepest."""
    deepest = max(lake.depth for lake in lakes)
    ends = [*TINTS[1:], deepest]
    return [(round(100 * a / deepest, 2), round(100 * b / deepest, 2)) for a, b in zip(TINTS, ends, strict=True)]
