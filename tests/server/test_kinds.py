"""Each kind of setting: what it takes, what it makes of text, and how it refuses."""

from pathlib import PurePosixPath
from typing import Any

import pytest

from atlas.server.kinds import AccessFormat, Choice, Headers, Kind, Path, Seconds, Size, Switch, Text, Whole


@pytest.mark.parametrize(
    ("kind", "value", "held"),
    [
        (Text(), "", ""),
        (Text("/"), "", ""),
        (Text("/"), "/api", "/api"),
        (Path(), PurePosixPath("a/b"), "a/b"),
        (Choice(("auto", "off")), "OFF", "off"),
        (Switch(), True, True),
        (Whole(0, 10), 10, 10),
        (Size(), 0, 0),
        (Seconds(), 1, 1.0),
        (Seconds(zero=True), 0, 0.0),
        (Headers(), {"X-A": "1"}, (("X-A", "1"),)),
        (Headers(), [("X-A", " 1 "), "X-B: 2: 3"], (("X-A", "1"), ("X-B", "2: 3"))),
        (Headers(), "X-A:", (("X-A", ""),)),
        (AccessFormat(), "json", "json"),
        (AccessFormat(), "%(h)s", "%(h)s"),
    ],
)
def test_takes(kind: Kind, value: Any, held: Any) -> None:
    assert kind.check(value) == held
    assert type(kind.check(value)) is type(held)


@pytest.mark.parametrize(
    ("kind", "text", "held"),
    [
        (Switch(), "Yes", True),
        (Switch(), "0", False),
        (Whole(), "42", 42),
        (Size(), "512", 512),
        (Size(), "64K", 65536),
        (Size(), "8 KiB", 8192),
        (Size(), "100mb", 104857600),
        (Size(), "1G", 1024**3),
        (Seconds(), "2.5", 2.5),
        (Headers(), "X-A: 1\nX-B: 2\n", (("X-A", "1"), ("X-B", "2"))),
        (Headers(), "", ()),
    ],
)
def test_reads_text(kind: Kind, text: str, held: Any) -> None:
    assert kind.parse(text) == held


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Text(), 1),
        (Path(), b"bytes"),
        (Path(), None),
        (Choice(("auto",)), None),
        (Switch(), 1),
        (Switch(), "true"),
        (Whole(), True),
        (Whole(), "8000"),
        (Whole(), 1.0),
        (Seconds(), False),
        (Seconds(), "1"),
        (Headers(), 1),
        (Headers(), [("X-A", 1)]),
        (Headers(), [b"X-A: 1"]),
        (AccessFormat(), 1),
    ],
)
def test_refuses_a_wrong_type(kind: Kind, value: Any) -> None:
    with pytest.raises(TypeError, match="^expected .*, got "):
        kind.check(value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Text("/"), "api"),
        (Path(), "a\0b"),
        (Whole(1), 0),
        (Whole(0, 65535), 65536),
        (Seconds(), 0),
        (Seconds(zero=True), -1),
        (Seconds(), float("nan")),
        (Seconds(), float("inf")),
        (Headers(), ["no colon"]),
        (Headers(), [("X A", "1")]),
        (Headers(), [("X-A", "1\r\nX-B: 2")]),
        (Headers(), [("X-A", "\u20ac")]),
        (AccessFormat(), "%(z)s"),
    ],
)
def test_refuses_a_wrong_value(kind: Kind, value: Any) -> None:
    with pytest.raises(ValueError, match="^expected .*, got "):
        kind.check(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Switch(), "maybe"),
        (Whole(), "12x"),
        (Whole(), ""),
        (Size(), "64X"),
        (Size(), "-1"),
        (Size(), "1.5K"),
        (Seconds(), "soon"),
    ],
)
def test_refuses_text(kind: Kind, text: str) -> None:
    with pytest.raises(ValueError, match="^expected .*, got "):
        kind.parse(text)


def test_a_choice_suggests_the_close_one() -> None:
    with pytest.raises(ValueError, match=r"got 'uvlop': did you mean 'uvloop'\?$"):
        Choice(("auto", "uvloop")).check("uvlop")
