"""Defaults of parameters: a request does not see what another one has done to them."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import pytest

from atlas import Application, AsyncUpload, Body, Query, Route, TestClient
from atlas.web.inputs.defaults import default_maker, is_constant


class Color(enum.Enum):
    RED = "red"


class Paging(msgspec.Struct):
    page: int = 1


@dataclass
class Item:
    tags: list[str]


@pytest.mark.parametrize("default", [None, 1, "a", (1, 2), Color.RED, object(), len])
def test_what_no_controller_changes_is_shared(default: Any) -> None:
    assert is_constant(default)
    assert default_maker(default)() is default


@pytest.mark.parametrize("default", [[], [[1]], {"a": 1}, {1}, bytearray(b"a"), Paging(), Item(["a"])])
def test_what_a_controller_may_change_is_copied(default: Any) -> None:
    make = default_maker(default)
    assert make() == default
    assert make() is not default


def test_requests_do_not_share_a_default() -> None:
    def query(tags: list[str] = []) -> Any:  # noqa: B006
        tags.append("a")
        return tags

    def fields(paging: Annotated[Paging, Query()] = Paging()) -> Any:  # noqa: B008
        paging.page += 1
        return [paging.page]

    def body(item: Annotated[Item, Body()] = Item([])) -> Any:  # noqa: B008
        item.tags.append("a")
        return item.tags

    async def files(files: list[AsyncUpload] = []) -> Any:  # noqa: B006
        files.append(files)  # type: ignore[arg-type]
        return [len(files)]

    app = Application([Route(f"/{each.__name__}", each, ["POST"]) for each in (query, fields, body, files)])
    with TestClient(app) as client:
        for _ in range(2):
            assert client.post("/query").json() == ["a"]
            assert client.post("/fields").json() == [2]
            assert client.post("/body").json() == ["a"]
            assert client.post("/files", data={"a": "b"}).json() == [1]
