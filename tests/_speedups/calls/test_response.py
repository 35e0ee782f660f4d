import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from atlas import HTMLResponse, JSONResponse, Response, TextResponse
from atlas._speedups.calls.response import BaseResponse, Printer, owned
from atlas._speedups.http.response_stream import FieldLine

PAGE = "text/html; charset=utf-8"


def test_a_field_line_is_encoded_once() -> None:
    assert FieldLine("content-type", "text/x").pair == (b"content-type", b"text/x")


def test_it_is_what_it_was_given() -> None:
    reply = TextResponse("ü", 201)
    assert (reply.status_code, reply.body) == (201, "ü".encode())
    assert reply.raw_headers == [(b"content-type", b"text/plain; charset=utf-8")]
    assert Response(b"x", content_type="").raw_headers == []
    assert Response(b"x", content_type="image/png").raw_headers == [(b"content-type", b"image/png")]
    assert Response("x", headers={"X-A": "1", "Content-Type": "a/b"}).raw_headers == [
        (b"content-type", b"a/b"),
        (b"x-a", b"1"),
    ]


@pytest.mark.parametrize("content", [1, None, ["x"], bytearray(b"x")])
def test_other_content_is_refused(content: Any) -> None:
    with pytest.raises(TypeError, match=r"HTMLResponse: expected bytes or str"):
        HTMLResponse(content)


def test_a_kind_may_encode_in_its_own_way() -> None:
    assert JSONResponse("x").body == b'"x"'

    class Loud(TextResponse):
        def encode(self, content: Any) -> bytes:
            return super().encode(content).upper()

    assert Loud("x").body == b"X"


@pytest.mark.parametrize("content_type", [None, "image/png", "text/html; charset=utf-8", ""])
def test_fields_that_encode_sets_stay(content_type: str | None) -> None:
    class Sized(TextResponse):
        def encode(self, content: Any) -> bytes:
            self.headers["x-size"] = str(len(content))
            return super().encode(content)

    response = Sized("abc", headers={"x-a": "1"}, content_type=content_type)
    kind = Sized.content_type if content_type is None else content_type
    expected = {"content-type": kind, "x-size": "3", "x-a": "1"}
    assert dict(response.headers) == {name: value for name, value in expected.items() if value}


def test_a_list_of_fields_that_encode_has_kept_may_change() -> None:
    kept: list[Any] = []

    class Keeping(TextResponse):
        def encode(self, content: Any) -> bytes:
            kept.append(self.raw_headers)
            return super().encode(content)

    response = Keeping("x", headers={"x-a": "1"})
    kept[0].append((b"x-b", b"2"))
    assert response.headers["x-b"] == "2"


@pytest.mark.parametrize("kind", ["a/b\r\nx: y", "a/\u20ac"])
def test_a_content_type_cannot_add_a_line(kind: str) -> None:
    with pytest.raises(ValueError, match="content-type"):
        Response(b"", content_type=kind)


def test_the_fields_may_be_replaced() -> None:
    reply = Response(b"x")
    reply.raw_headers = [(b"x-a", b"1")]
    assert reply.raw_headers == [(b"x-a", b"1")]
    with pytest.raises(TypeError):
        reply.raw_headers = None  # type: ignore[assignment]
    assert isinstance(reply, BaseResponse)


def test_it_can_be_copied_and_pickled() -> None:
    reply = JSONResponse({"a": 1}, 201, {"x-a": "1"})
    for other in (copy.copy(reply), copy.deepcopy(reply), pickle.loads(pickle.dumps(reply))):
        assert (type(other), other.status_code, other.body) == (JSONResponse, 201, b'{"a":1}')
        assert other.raw_headers == reply.raw_headers
        other.headers["x-a"] = "2"
        assert reply.headers["x-a"] == "1"


def test_a_body_in_another_form_of_bytes_is_sent() -> None:
    reply = TextResponse("x")
    reply.body = bytearray(b"abc")  # type: ignore[assignment]
    assert copy.copy(reply).body == b"abc"


def test_a_response_that_other_code_has_is_copied() -> None:
    page = HTMLResponse("page", 201, {"x-a": "1"})

    def kept() -> HTMLResponse:
        return page

    def new() -> HTMLResponse:
        return HTMLResponse("page")

    other = owned(kept())
    assert other is not page
    assert type(other) is HTMLResponse
    other.headers["x-b"] = "2"
    other.status_code, other.body = 202, b"other"
    assert (page.status_code, page.body, dict(page.headers)) == (201, b"page", {"content-type": PAGE, "x-a": "1"})
    assert (other.status_code, dict(other.headers)) == (202, {"content-type": PAGE, "x-a": "1", "x-b": "2"})
    made: list[int] = []

    def noted(make: Callable[[], Any]) -> Any:
        response = make()
        made.append(id(response))
        return response

    same = owned(noted(new))  # in an assert, pytest would keep a reference to the argument
    assert id(same) == made[0]
    assert owned(None) is None


def test_attributes_of_a_subclass_are_copied() -> None:
    class Slotted(TextResponse):
        __slots__ = ("names", "unset")

        def __init__(self, names: list[str]) -> None:
            super().__init__("x")
            self.names = names

    class Counted(Slotted):
        def __new__(cls, *args: Any, needed: int = 0, **kwargs: Any) -> Any:
            assert needed == 1, "a copy does not call it"
            return super().__new__(cls)

        def __init__(self, names: list[str], needed: int) -> None:
            super().__init__(names)
            self.counts = {"a": needed}

    for page in (Slotted(["a"]), Counted(["a"], needed=1)):
        other = copy.copy(page)
        assert (type(other), other.names) == (type(page), ["a"])
        other.names.append("b")
        assert page.names == ["a"]
        assert not hasattr(other, "unset")
    other.counts["b"] = 2  # type: ignore[attr-defined]
    assert page.counts == {"a": 1}  # type: ignore[attr-defined]


def test_a_body_that_changes_is_not_replaced() -> None:
    page = Response(b"")
    page.body = bytearray(b"one")  # type: ignore[assignment]
    assert page.events("GET")[1]["body"] == b"one"
    assert isinstance(page.body, bytearray)


class Shown(int):
    def __html__(self) -> str:
        return "<i>1</i>"


class Iterated:
    def __aiter__(self) -> "Iterated":
        return self

    async def __anext__(self) -> int:
        raise StopAsyncIteration


@pytest.mark.parametrize("value", ["a", None, True, [1], Shown(1), Iterated, object()])
def test_a_value_is_printed_as_it_is(value: object) -> None:
    assert Printer(pytest.fail).prepare(value) is value


@pytest.mark.parametrize("value", [0, -7, 10**30, 1.5, float("inf"), float("nan")])
def test_a_number_is_printed_as_text(value: float) -> None:
    printed = Printer(pytest.fail).prepare(value)
    assert (type(printed), printed) == (str, str(value))


def test_what_has_to_be_awaited_is_refused() -> None:
    async def work() -> None: ...

    def refuse(value: object) -> None:
        raise TypeError(type(value).__name__)

    printer, coroutine = Printer(refuse), work()
    with pytest.raises(TypeError, match="coroutine"):
        printer.prepare(coroutine)
    coroutine.close()
    with pytest.raises(TypeError, match="Iterated"):
        printer.prepare(Iterated())
