from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, NotRequired, TypedDict, TypeVar

import attrs
import msgspec
import pytest

from atlas import BadRequest, UnprocessableContent
from atlas.web.requests.validation import MAX_PROBLEMS, find_problems, parse_json


@dataclass
class Lake:
    name: str
    depth: Annotated[int, msgspec.Meta(ge=0)]
    islands: list[str] = field(default_factory=list)


class Region(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    region_name: str
    lakes: list[Lake]
    seen: dict[str, int] = {}
    best: Lake | None = None


class Note(TypedDict):
    text: str


def test_a_value_and_a_typed_one() -> None:
    assert parse_json(b'{"a": [1, null]}') == {"a": [1, None]}
    assert parse_json(b'{"name": "Como", "depth": 425}', Lake) == Lake("Como", 425)
    assert parse_json(b"[1]", list[int]) == [1]


def test_a_byte_order_mark_is_ignored() -> None:
    body = '{"name": "Thun ü", "depth": 217}'.encode("utf-8-sig")
    assert parse_json(body) == {"name": "Thun ü", "depth": 217}
    assert parse_json(body, Lake) == Lake("Thun ü", 217)
    with pytest.raises(UnprocessableContent, match="Expected `int`, got `str`"):
        parse_json('{"name": "Thun", "depth": "217"}'.encode("utf-8-sig"), Lake)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_another_encoding_is_named(encoding: str) -> None:
    with pytest.raises(BadRequest, match=rf"expected UTF-8 \(RFC 8259 8.1\), got {encoding.upper()}"):
        parse_json('{"name": "Thun"}'.encode(encoding))


MALFORMED = [
    b"",
    b"{",
    b"[1,]",
    b'{"a":1}x',
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'"\\udc00"',
    b'"\\ud800"',
    b'"\x00"',
    b"\xef\xbb\xbf" * 50_000 + b"{}",
    "{}".encode("utf-16")[:-1],
    b"\0" * 50_000,
    b"{\0" * 3 + b"\0",
    b"NaN",
    b"1e999",
    b"9" * 5000,
    b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 100_000,
]


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
@pytest.mark.parametrize("kind", [None, Lake, list[Lake], Any])
def test_invalid_json_is_a_4xx(body: bytes, kind: Any) -> None:
    with pytest.raises((BadRequest, UnprocessableContent)) as caught:
        parse_json(body, kind)
    if kind is None:
        assert caught.value.status_code == 400


def problems(body: bytes, kind: Any) -> list[tuple[str, str]]:
    with pytest.raises(UnprocessableContent) as caught:
        parse_json(body, kind)
    return [(each["path"], each["detail"]) for each in caught.value.members["errors"]]


def test_every_error_has_its_path() -> None:
    body = (
        b'{"regionName": 5, "lakes": [{"name": "a", "depth": -1}, {"depth": "x", "islands": ["a", 7]}], '
        b'"seen": {"2026": "often"}, "best": {"name": "a"}}'
    )
    assert problems(body, Region) == [
        ("/body/regionName", "Expected `str`, got `int`"),
        ("/body/lakes/0/depth", "Expected `int` >= 0"),
        ("/body/lakes/1/name", "missing"),
        ("/body/lakes/1/depth", "Expected `int`, got `str`"),
        ("/body/lakes/1/islands/1", "Expected `str`, got `int`"),
        ("/body/seen/2026", "Expected `int`, got `str`"),
        ("/body/best/depth", "missing"),
    ]


@pytest.mark.parametrize(
    ("body", "kind", "path"),
    [
        (b"5", Lake, "/body"),
        (b'{"regionName": "a", "lakes": [], "other": 1}', Region, "/body"),
        (b'{"text": 5}', Note, "/body/text"),
        (b"{}", Note, "/body/text"),
        (b'["a"]', tuple[int, ...], "/body/0"),
        (b'["a"]', set[int], "/body/0"),
        (b'["a", 1]', tuple[str, str], "/body/1"),
        (b'{"a": "x"}', dict[str, int], "/body/a"),
        (b'"x"', int | float, "/body"),
        (b'{"name": "a", "depth": 1}', Annotated[list[int], msgspec.Meta(min_length=1)], "/body"),
        (b"[]", Annotated[list[int], msgspec.Meta(min_length=1)], "/body"),
    ],
)
def test_one_error(body: bytes, kind: Any, path: str) -> None:
    assert [found for found, _ in problems(body, kind)] == [path]


def test_the_first_one_is_the_detail() -> None:
    with pytest.raises(UnprocessableContent) as caught:
        parse_json(b'{"name": 5, "depth": "x"}', Lake)
    assert caught.value.detail == "/body/name: Expected `str`, got `int`"


def test_malformed_json_after_the_first_error_is_a_bad_request() -> None:
    with pytest.raises(BadRequest):
        parse_json(b'{"name": 5, "depth": ', Lake)


def test_the_number_and_depth_of_errors_are_limited() -> None:
    assert len(find_problems(["x"] * 10_000, list[int])) == MAX_PROBLEMS
    deep: Any = "x"
    kind: Any = int
    for _ in range(50):
        deep, kind = [deep], list[kind]
    assert find_problems(deep, kind) == [("/body" + "/0" * 50, "Expected `int`, got `str`")]


@attrs.define
class Town:
    name: str
    people: Annotated[int, msgspec.Meta(ge=0)] = 0


class Entry(TypedDict):
    text: Annotated[str, msgspec.Meta(min_length=2)]
    likes: NotRequired[Annotated[int, msgspec.Meta(ge=0)]]


T = TypeVar("T")
U = TypeVar("U")


class Pair(msgspec.Struct, Generic[T, U]):
    first: T
    second: U


class Circle(msgspec.Struct, tag="circle"):
    radius: int


class Square(msgspec.Struct, tag="square"):
    side: int


@pytest.mark.parametrize(
    ("value", "kind", "places"),
    [
        ({"people": -1}, Town, ["/name", "/people"]),
        ({"text": "a", "likes": -1}, Entry, ["/text", "/likes"]),
        ({"first": "x", "second": 1}, Pair[int, str], ["/first", "/second"]),
        (
            [{"type": "circle"}, {"type": "square", "side": "x"}, {}],
            list[Circle | Square],
            ["/0/radius", "/1/side", "/2/type"],
        ),
    ],
)
def test_every_error_in_a_class(value: Any, kind: Any, places: list[str]) -> None:
    assert [place for place, _ in find_problems(value, kind, "")] == places
