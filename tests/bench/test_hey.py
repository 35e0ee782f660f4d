"""What hey prints, read back, and what is said about it."""

from __future__ import annotations

import pytest

from bench import hey
from bench.hey import Request

CSV = """response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset
0.0041,0.0004,0.0000,0.0001,0.0004,0.0001,200,0.0015
0.0006,0.0000,0.0000,0.0000,0.0005,0.0000,404,0.0020
"""


def test_lines_are_read():
    assert hey.parse_csv(CSV) == [Request(0.0015, 0.0041, 200, True), Request(0.002, 0.0006, 404, False)]


@pytest.mark.parametrize("text", ["", "-n cannot be less than -c.\n", "a,b\n1,2\n"])
def test_anything_else_is_an_error_that_quotes_it(text):
    with pytest.raises(ValueError, match="hey printed"):
        hey.parse_csv(text)


def requests(first, later, status=200):
    return [Request(0.0, seconds, 200, True) for seconds in first] + [
        Request(1.0, seconds, status, False) for seconds in later
    ]


def test_connections_that_wait_equally_long_pass():
    lines, well = hey.verdict(requests([0.002, 0.004], [0.001] * 98), 100)
    assert well
    assert lines[0] == "100 of 100 answered: 100 x 200"
    assert "the longest took 4.0 ms" in lines[1]
    assert lines[2] == "all others: half within 1.0 ms, 99 % within 1.0 ms, the longest took 1.0 ms"


def test_a_connection_that_was_forgotten_is_told():
    lines, well = hey.verdict(requests([0.002, 0.7], [0.01] * 98), 100)
    assert not well
    assert "70 times as long" in lines[-1]


@pytest.mark.parametrize(("answered", "status"), [(99, 200), (100, 500)])
def test_what_is_missing_or_no_200_is_not_well(answered, status):
    assert not hey.verdict(requests([0.001], [0.001] * (answered - 1), status), 100)[1]


def test_one_request_per_connection_has_nothing_to_be_compared_with():
    assert hey.verdict(requests([0.001, 0.002], []), 2)[1]
