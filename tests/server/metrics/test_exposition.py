"""The text of metrics, read by prometheus-client's parsers; and the choice of the format."""

from collections.abc import Iterable
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from atlas.server.metrics.exposition import OPENMETRICS, TEXT, Format, negotiate, render
from atlas.server.metrics.families import Family, Sample

NAME = 'a "b" \\ c\n\u00e9'
FAMILIES = [
    Family("requests", "counter", 'Help "x" \\ y\nz', [Sample(3, (("path", NAME),), "_total")]),
    Family("temperature_seconds", "gauge", "Help.", [Sample(0.5), Sample(1e-9, (("a", "b"),))], "seconds"),
    Family("build", "info", "Help.", [Sample(1, (("version", "1"),), "_info")]),
    Family(
        "time_seconds",
        "histogram",
        "Help.",
        [
            Sample(1, (("le", "0.5"),), "_bucket"),
            Sample(2, (("le", "+Inf"),), "_bucket"),
            Sample(2, (), "_count"),
            Sample(0.75, (), "_sum"),
        ],
        "seconds",
    ),
    Family("empty", "counter", "Help.", []),
]


def samples(families: Iterable[Any]) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {(each.name, tuple(each.labels.items())): each.value for family in families for each in family.samples}


@pytest.mark.parametrize(("kind", "parse"), [(TEXT, parse_text), (OPENMETRICS, parse_openmetrics)])
def test_both_formats(kind: Format, parse: Any) -> None:
    families = list(parse(render(FAMILIES, kind).decode()))
    found = samples(families)
    assert found["requests_total", (("path", NAME),)] == 3
    assert found["temperature_seconds", ()] == 0.5
    assert found["temperature_seconds", (("a", "b"),)] == 1e-9
    assert found["build_info", (("version", "1"),)] == 1
    assert found["time_seconds_bucket", (("le", "+Inf"),)] == 2
    assert found["time_seconds_sum", ()] == 0.75
    types = {family.name: family.type for family in families}
    assert types["time_seconds"] == "histogram"
    assert types["requests"] == "counter"
    assert families[0].documentation == FAMILIES[0].help


def test_the_end_of_openmetrics() -> None:
    assert render([], OPENMETRICS) == b"# EOF\n"


PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;"
    "q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/html", TEXT),
        ("text/plain", TEXT),
        (PROMETHEUS, OPENMETRICS),
        ("application/openmetrics-text", OPENMETRICS),
        ('Application/OpenMetrics-Text; version="1.0.0"', OPENMETRICS),
        ("application/*", OPENMETRICS),
        ("application/openmetrics-text;version=2.0.0", TEXT),
        ("application/openmetrics-text;version=2.0.0, text/plain;q=0.1", TEXT),
        ("application/openmetrics-text;q=0.2, text/plain;q=0.9", TEXT),
        ("application/openmetrics-text;q=0.9, text/plain;q=0.2", OPENMETRICS),
        ("application/openmetrics-text;q=0, */*", TEXT),
        ("application/openmetrics-text, */*;q=0.5", OPENMETRICS),
        ("text/plain;q=0, */*;q=0.1", OPENMETRICS),
        ("application/openmetrics-text;q=x", TEXT),
        (",;,q=1", TEXT),
    ],
)
def test_the_format_that_a_client_prefers(accept: str, expected: Format) -> None:
    assert negotiate(accept) is expected


def test_content_types() -> None:
    assert TEXT.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert OPENMETRICS.content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
