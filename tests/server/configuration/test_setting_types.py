"""Each kind of setting: what it takes, what it makes of text, and how it refuses."""

from pathlib import PurePosixPath
from typing import Any

import pytest

from atlas.server.configuration.setting_types import (
    AccessLogFormat,
    Boolean,
    ByteSize,
    Choice,
    Headers,
    Integer,
    Path,
    Proxies,
    Seconds,
    SettingType,
    Strings,
    Text,
)


@pytest.mark.parametrize(
    ("kind", "value", "held"),
    [
        (Text(), "", ""),
        (Text("/"), "", ""),
        (Text("/"), "/api", "/api"),
        (Path(), PurePosixPath("a/b"), "a/b"),
        (Path(may_be_empty=True), "", ""),
        (Choice(("auto", "off")), "OFF", "off"),
        (Boolean(), True, True),
        (Integer(0, 10), 10, 10),
        (ByteSize(), 0, 0),
        (Seconds(), 1, 1.0),
        (Seconds(allow_zero=True), 0, 0.0),
        (Headers(), {"X-A": "1"}, (("X-A", "1"),)),
        (Headers(), [("X-A", " 1 "), "X-B: 2: 3"], (("X-A", "1"), ("X-B", "2: 3"))),
        (Headers(), "X-A:", (("X-A", ""),)),
        (Strings(), ["a", PurePosixPath("b"), "a"], ("a", "b")),
        (Strings(), "a:b", ("a:b",)),
        (AccessLogFormat(), "json", "json"),
        (AccessLogFormat(), "%(h)s", "%(h)s"),
    ],
)
def test_takes(kind: SettingType, value: Any, held: Any) -> None:
    assert kind.check(value) == held
    assert type(kind.check(value)) is type(held)


@pytest.mark.parametrize(
    ("kind", "text", "held"),
    [
        (Boolean(), "Yes", True),
        (Boolean(), "0", False),
        (Integer(), "42", 42),
        (ByteSize(), "512", 512),
        (ByteSize(), "64K", 65536),
        (ByteSize(), "8 KiB", 8192),
        (ByteSize(), "100mb", 104857600),
        (ByteSize(), "1G", 1024**3),
        (Seconds(), "2.5", 2.5),
        (Headers(), "X-A: 1\nX-B: 2\n", (("X-A", "1"), ("X-B", "2"))),
        (Headers(), "", ()),
        (Strings(), "a:b c\n:d", ("a", "b c", "d")),
    ],
)
def test_reads_text(kind: SettingType, text: str, held: Any) -> None:
    assert kind.parse(text) == held


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Text(), 1),
        (Path(), b"bytes"),
        (Path(), None),
        (Choice(("auto",)), None),
        (Boolean(), 1),
        (Boolean(), "true"),
        (Integer(), True),
        (Integer(), "8000"),
        (Integer(), 1.0),
        (Seconds(), False),
        (Seconds(), "1"),
        (Headers(), 1),
        (Headers(), [("X-A", 1)]),
        (Headers(), [b"X-A: 1"]),
        (AccessLogFormat(), 1),
    ],
)
def test_refuses_a_wrong_type(kind: SettingType, value: Any) -> None:
    with pytest.raises(TypeError, match="^expected .*, got "):
        kind.check(value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Text("/"), "api"),
        (Path(), "a\0b"),
        (Path(), ""),
        (Integer(1), 0),
        (Integer(0, 65535), 65536),
        (Seconds(), 0),
        (Seconds(allow_zero=True), -1),
        (Seconds(), float("nan")),
        (Seconds(), float("inf")),
        (Headers(), ["no colon"]),
        (Headers(), [("X A", "1")]),
        (Headers(), [("X-A", "1\r\nX-B: 2")]),
        (Headers(), [("X-A", "\u20ac")]),
        (AccessLogFormat(), "%(z)s"),
    ],
)
def test_refuses_a_wrong_value(kind: SettingType, value: Any) -> None:
    with pytest.raises(ValueError, match="^expected .*, got "):
        kind.check(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Boolean(), "maybe"),
        (Integer(), "12x"),
        (Integer(), ""),
        (ByteSize(), "64X"),
        (ByteSize(), "-1"),
        (ByteSize(), "1.5K"),
        (Seconds(), "soon"),
    ],
)
def test_refuses_text(kind: SettingType, text: str) -> None:
    with pytest.raises(ValueError, match="^expected .*, got "):
        kind.parse(text)


def test_a_choice_suggests_the_close_one() -> None:
    with pytest.raises(ValueError, match=r"got 'uvlop': did you mean 'uvloop'\?$"):
        Choice(("auto", "uvloop")).check("uvlop")


def test_a_proxy_that_is_an_address_with_the_size_of_its_network() -> None:
    with pytest.raises(ValueError, match="got '10.0.0.1/8': did you mean '10.0.0.0/8'"):
        Proxies().check("10.0.0.1/8")
