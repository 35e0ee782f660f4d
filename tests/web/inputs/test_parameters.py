"""The signature of a controller and the path: what fits, and what stops the start."""

from __future__ import annotations

import datetime
import enum
import functools
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, NewType

import pytest

from atlas import (
    Application,
    AsyncRequest,
    AsyncUpload,
    Body,
    Form,
    Header,
    Path,
    Query,
    Request,
    Route,
    StartupError,
    TestClient,
    Upload,
)
from atlas.web.inputs.parameters import is_positional, is_sequence, without_none

if TYPE_CHECKING:
    from nowhere import Missing  # type: ignore[import-not-found]

Number = NewType("Number", int)


class Color(enum.Enum):
    RED = "red"


@dataclass
class Item:
    name: str


def start(path: str, controller: Callable[..., Any]) -> Application:
    app = Application([Route(path, controller, ["POST"])])
    app.prepare()
    return app


def by_name(request: Request, year: int, name: str) -> Any: ...
def swapped(request, year, name): ...  # type: ignore[no-untyped-def]
def as_text(request: Request, number: str) -> Any: ...
def as_number(request: Request, name: int) -> Any: ...
def as_uuid(request: Request, name: uuid.UUID) -> Any: ...
def other_name(request: Request, who: str) -> Any: ...
def without_path(request: Request) -> Any: ...
def two_bodies(first: Item, second: Item) -> Any: ...
def body_and_form(item: Item, name: Annotated[str, Form()]) -> Any: ...
def no_model(request: Request, thing: threading_event) -> Any: ...  # type: ignore[name-defined]  # noqa: F821
def an_object(request: Request, thing: Callable[[], None]) -> Any: ...
def not_in_the_path(number: Annotated[int, Path()]) -> Any: ...
def path_as_query(number: Annotated[int, Query()]) -> Any: ...
def marker_as_default(page: int = Query(ge=1)) -> Any: ...  # type: ignore[assignment]
def two_markers(page: Annotated[int, Query(), Header()]) -> Any: ...
def many_arguments(page: int, *rest: int) -> Any: ...
def upload_of_query(file: Annotated[Upload, Query()]) -> Any: ...
def async_upload(file: AsyncUpload) -> Any: ...
async def sync_upload(file: Upload) -> Any: ...
def same_key(first: Annotated[int, Query("page")], page: int) -> Any: ...
def untyped(request: Request, page: int, other) -> Any: ...  # type: ignore[no-untyped-def]


@pytest.mark.parametrize(
    ("path", "controller", "told"),
    [
        ("/{name}/{year:int}", swapped, r"takes \(year, name\), and the path has \(name, year\): without"),
        (
            "/{number:int}",
            as_text,
            r"number: the path has int, and the controller str; write \{number:string\}",
        ),
        ("/{name}", as_number, r"the path has str, and the controller int; write \{name:int\}"),
        ("/{name}", as_uuid, r"the path has str, and the controller UUID; write \{name:uuid\}"),
        ("/{name}", other_name, "other_name does not take name of the path; it takes who of the query"),
        ("/{name}", without_path, "without_path.* is called with the request and 1 path parameter"),
        ("/", two_bodies, "takes the body twice, as first and second: use one class with two fields"),
        ("/", body_and_form, "takes item of a JSON body, and name of a form"),
        ("/", no_model, "the annotation 'threading_event' cannot be evaluated: NameError"),
        ("/", an_object, "an_object: thing: .*not supported"),
        ("/", not_in_the_path, "number: the path has no such parameter"),
        ("/{number:int}", path_as_query, r"number: it is in the path, and not Query\(\)"),
        ("/", marker_as_default, r"page: expected Annotated\[int, Query\(.*\)\], got the marker as the default"),
        ("/", two_markers, r"expected one of Query\(\), Header\(\)"),
        ("/", upload_of_query, "an upload comes from a form"),
        ("/", async_upload, "expected Upload in this kind of function, got AsyncUpload"),
        ("/", sync_upload, "expected AsyncUpload in this kind of function, got Upload"),
        ("/", same_key, "takes the query value 'page' twice"),
        ("/", untyped, "other: it is not in the path, and has no annotation"),
    ],
)
def test_what_stops_the_start(path: str, controller: Callable[..., Any], told: str) -> None:
    with pytest.raises(StartupError, match=told) as error:
        start(path, controller)
    assert str(error.value).startswith(f"{__file__}:")


def test_names_in_any_order() -> None:
    def show(request: Request, year: int, name: str) -> Any:
        return [name, year]

    with TestClient(start("/{name}/{year:int}", show)) as client:
        assert client.post("/ada/1815").json() == ["ada", 1815]


def test_without_annotations_by_position() -> None:
    def show(request, first, second):  # type: ignore[no-untyped-def]
        return [first, second]

    with TestClient(start("/{name}/{year:int}", show)) as client:
        assert client.post("/ada/1815").json() == ["ada", 1815]


def test_the_request_may_be_left_out_or_stand_anywhere() -> None:
    def bare() -> str:
        return "bare"

    def untyped(name):  # type: ignore[no-untyped-def]
        return name

    def last(name: str, request: Request) -> str:
        return f"{name} {request.method}"

    async def only_name(name: str) -> str:
        return name

    async def named(name: str, *, request: AsyncRequest) -> str:
        return f"{name} {request.method}"

    answers = []
    for path, controller in (("/ada", bare), *(("/{name}", each) for each in (untyped, last, only_name, named))):
        with TestClient(start(path, controller)) as client:
            answers.append(client.post("/ada").text)
    assert answers == ["bare", "ada", "ada POST", "ada", "ada POST"]


def test_defaults_of_the_program_stay() -> None:
    closures = [start("/", lambda request, page=page: str(page)) for page in range(2)]
    texts = []
    for app in closures:
        with TestClient(app) as client:
            texts.append(client.post("/?page=7").text)
    assert texts == ["0", "1"]


def test_types_of_the_path() -> None:
    def show(
        number: Number,
        ratio: float,
        key: uuid.UUID,
        day: datetime.date,
        color: Color,
        kind: Literal["a", "b"],
        rest: str,
    ) -> Any:
        return [number, ratio, str(key), day.isoformat(), color.value, kind, rest]

    path = "/{number:int}/{ratio:float}/{key:uuid}/{day:date}/{color}/{kind}/{rest:path}"
    key = "0e4b1f9c-2f5a-4b65-9e3c-2a9d4e0c7f11"
    with TestClient(start(path, show)) as client:
        answer = client.post(f"/7/0.5/{key}/2026-11-28/red/b/x/y")
        assert answer.json() == [7, 0.5, key, "2026-11-28", "red", "b", "x/y"]
        wrong = client.post(f"/7/0.5/{key}/2026-11-28/green/c/x/y")
    assert wrong.status_code == 422
    assert [each["path"] for each in wrong.json()["errors"]] == ["/path/color", "/path/kind"]


def test_an_annotation_only_for_type_checkers() -> None:
    def show(request: Request, name: Missing) -> str:
        return str(name)

    with TestClient(start("/{name}", show)) as client:
        assert client.post("/ada").text == "ada"


def test_methods_partials_and_objects() -> None:
    from functools import partial

    class Pages:
        def show(self, request: Request, name: str, page: int = 1) -> Any:
            return [name, page]

        def __call__(self, name: str, page: int) -> Any:
            return [name, page]

    def show(kind: str, request: Request, name: str, page: int = 1) -> Any:
        return [kind, name, page]

    found = []
    for controller in (Pages().show, Pages(), partial(show, "k")):
        with TestClient(start("/{name}", controller)) as client:
            found.append(client.post("/ada?page=7").json())
    assert found == [["ada", 7], ["ada", 7], ["k", "ada", 7]]


@pytest.mark.parametrize(
    ("controller", "expected"),
    [
        (len, True),
        (lambda request: "", True),
        (lambda request, name: "", True),
        (lambda name: "", False),
        (lambda: "", False),
        (swapped, True),
        (by_name, False),
        (without_path, True),
        (many_arguments, True),
    ],
)
def test_which_controllers_are_called_by_position(controller: Callable[..., Any], expected: bool) -> None:
    assert is_positional(controller, ["name"]) is expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (list[int], True),
        (set, True),
        (tuple[int, ...] | None, True),
        (Annotated[list[int] | None, "x"], True),
        (str, False),
        (int | None, False),
        (Annotated[Item, Body()], False),
    ],
)
def test_which_types_take_several_values(kind: Any, expected: bool) -> None:
    assert is_sequence(kind) is expected


def test_none_is_left_out() -> None:
    assert without_none(int | None) is int
    assert without_none(int | str | None) == int | str | None
    assert without_none(Annotated[int, "x"] | None) is int


def test_what_a_partial_function_has_passed_is_no_input() -> None:
    def show(page: int, admin: bool) -> Any:
        return [page, admin]

    with TestClient(start("/", functools.partial(show, admin=False))) as client:
        assert client.post("/?page=2&admin=true").json() == [2, False]
