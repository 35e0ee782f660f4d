from email import message_from_bytes
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas.web.responses.ranges import MAX_RANGES, ByteRange, Parts, RangeNotSatisfiable, parse_ranges


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, []),
        ("", []),
        ("items=0-5", []),
        ("bytes", []),
        ("bytes=0-3", [(0, 4)]),
        ("Bytes = 0-3", [(0, 4)]),
        ("bytes=0-", [(0, 10)]),
        ("bytes=9-9", [(9, 10)]),
        ("bytes=5-500", [(5, 10)]),
        ("bytes=-3", [(7, 10)]),
        ("bytes=-300", [(0, 10)]),
        ("bytes=0-1, 4-5", [(0, 2), (4, 6)]),
        ("bytes=4-5,0-1", [(4, 6), (0, 2)]),
        ("bytes=0-1,,2-3", [(0, 2), (2, 4)]),
        ("bytes=0-1,50-60", [(0, 2)]),
        ("bytes=0-,0-,0-", [(0, 10)]),
        ("bytes=4-6,0-1,5-8", [(0, 2), (4, 9)]),
        ("bytes=0-8,2-3", [(0, 9)]),
    ],
)
def test_ranges_of_ten_bytes(value: str | None, found: list[tuple[int, int]]) -> None:
    assert [(each.start, each.end) for each in parse_ranges(value, 10)] == found


@pytest.mark.parametrize(
    "spec",
    [
        *("", "-", "10-", "10-20", "3-2", "-0", "a-b", "0-1-2", "0 - 1", "+1-2", "--1", "0x1-2", "1" * 30 + "-"),
        "٣-٤",
        ",".join(["0-0"] * (MAX_RANGES + 1)),
    ],
)
def test_ranges_that_are_not_satisfiable(spec: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        parse_ranges("bytes=" + spec, 10)


def test_nothing_is_in_an_empty_body() -> None:
    with pytest.raises(RangeNotSatisfiable):
        parse_ranges("bytes=0-", 0)


def test_the_number_of_ranges_is_limited() -> None:
    spec = ",".join(f"{number}-{number}" for number in range(0, MAX_RANGES * 2, 2))
    assert len(parse_ranges("bytes=" + spec, 1000)) == MAX_RANGES


def test_a_body_of_parts() -> None:
    body = b"0123456789"
    parts = Parts([ByteRange(0, 2), ByteRange(8, 10)], len(body), "text/plain")
    whole = b"".join(head + body[each.start : each.end] for head, each in parts.parts) + parts.end
    assert len(whole) == parts.length
    message: Any = message_from_bytes(f"content-type: {parts.content_type}\r\n\r\n".encode() + whole)
    assert [(each["content-range"], each.get_payload()) for each in message.get_payload()] == [
        ("bytes 0-1/10", "01"),
        ("bytes 8-9/10", "89"),
    ]


@settings(derandomize=True, deadline=None)
@given(st.text("0123456789-, =bytes", max_size=40), st.integers(0, 50))
def test_any_range_is_inside_the_body(spec: str, size: int) -> None:
    try:
        found = parse_ranges("bytes=" + spec, size)
    except RangeNotSatisfiable:
        return
    assert all(0 <= each.start < each.end <= size for each in found)
    assert sum(each.length for each in found) <= size
