"""Dependencies: when they are called, with what, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import httpx
import pytest

from atlas import Application, AsyncRequest, Header, Provide, Query, Request, Route, StartupError, TestClient, await_

Ask = Callable[..., httpx.Response]
log: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    log.clear()


def connection(request: Request, page: int = 1) -> Iterator[str]:
    log.append("open")
    try:
        yield f"{request.method} {page}"
    except KeyError:
        log.append("failed")
        raise
    finally:
        log.append("close")


async def later(request: AsyncRequest) -> AsyncIterator[str]:
    await asyncio.sleep(0)
    log.append("enter")
    yield request.path
    await asyncio.sleep(0)
    log.append("leave")


async def user(connection: Annotated[str, Provide(connection)], authorization: Annotated[str, Header()]) -> str:
    await asyncio.sleep(0)
    log.append("user")
    return f"{authorization} {connection}"


def waiting(name: str) -> str:
    await_(asyncio.sleep(0))
    return name.upper()


class Paging:
    def __init__(self, page: int = 1, size: Annotated[int, Query(le=10)] = 5) -> None:
        self.page, self.size = page, size


def sync_page(
    user: Annotated[str, Provide(user)],
    connection: Annotated[str, Provide(connection)],
    path: Annotated[str, Provide(later)],
    upper: Annotated[str, Provide(waiting)],
    paging: Annotated[Paging, Provide()],
    name: str,
    *,
    page: int = 1,
) -> Any:
    if name == "wrong":
        raise KeyError(name)
    return [user, connection, path, upper, paging.page, paging.size, page]


async def async_page(
    user: Annotated[str, Provide(user)],
    connection: Annotated[str, Provide(connection)],
    path: Annotated[str, Provide(later)],
    upper: Annotated[str, Provide(waiting)],
    paging: Annotated[Paging, Provide()],
    name: str,
    *,
    page: int = 1,
) -> Any:
    return sync_page(user, connection, path, upper, paging, name, page=page)


app = Application(
    [
        Route("/sync/{name}", sync_page),
        Route("/thread/{name}", sync_page, run="thread", name="thread"),
        Route("/async/{name}", async_page),
    ]
)
KINDS = pytest.mark.parametrize("kind", ["sync", "thread", "async"])
HEADERS = {"authorization": "ada"}


@KINDS
def test_each_is_called_once_and_ends(ask: Ask, kind: str) -> None:
    answer = ask(app, "GET", f"/{kind}/x?page=3", headers=HEADERS)
    assert answer.json() == ["ada GET 3", "GET 3", f"/{kind}/x", "X", 3, 5, 3]
    assert log == ["open", "user", "enter", "leave", "close"]


@KINDS
def test_the_exception_of_the_controller_reaches_them(ask: Ask, kind: str) -> None:
    assert ask(app, "GET", f"/{kind}/wrong", headers=HEADERS).status_code == 500
    assert log == ["open", "user", "enter", "failed", "close"]


@KINDS
def test_wrong_values_of_all_of_them_are_one_answer(ask: Ask, kind: str) -> None:
    answer = ask(app, "GET", f"/{kind}/x?page=a&size=11")
    assert answer.status_code == 422
    assert [each["path"] for each in answer.json()["errors"]] == ["/query/page", "/query/size", "/header/authorization"]
    assert log == []


def test_another_function_in_a_test() -> None:
    calls = []

    async def fake(name: str, deep: bool = False) -> str:
        calls.append(name)
        return f"fake {deep}"

    with TestClient(app) as client:
        with app.override(user, fake):
            with app.override(user, lambda: "inner"):
                assert client.get("/sync/x").json()[0] == "inner"
            assert client.get("/async/x?deep=on").json()[0] == "fake True"
        assert client.get("/sync/x").status_code == 422
        assert client.get("/sync/x", headers=HEADERS).json()[0] == "ada GET 1"
    assert calls == ["x"]


def test_a_wrong_override() -> None:
    with pytest.raises(TypeError, match="override: expected a function, got 5"), app.override(user, 5):  # type: ignore[arg-type]
        pass


def test_a_generator_that_swallows_an_exception() -> None:
    with (
        TestClient(Application([Route("/", needs_quiet)])) as client,
        pytest.raises(RuntimeError, match="has caught an exc"),
    ):
        client.get("/")


def quiet() -> Iterator[int]:
    try:
        yield 1
    except KeyError:
        pass


def needs_quiet(quiet: Annotated[int, Provide(quiet)]) -> str:
    raise KeyError


def test_a_name_of_another_function_is_not_known_at_startup() -> None:
    def local() -> int:
        return 1

    def page(value: Annotated[int, Provide(local)]) -> str:
        return str(value)

    with pytest.raises(StartupError, match="value: the annotation .* cannot be evaluated: NameError: name 'local'"):
        Application([Route("/", page)])


def circle_one(two: Annotated[int, Provide(lambda: 1)]) -> int:
    return two


def circle_two(one: Annotated[int, Provide(circle_one)]) -> int:
    return one


circle_one.__annotations__["two"] = Annotated[int, Provide(circle_two)]


def needs_circle(one: Annotated[int, Provide(circle_one)]) -> Any: ...
def untyped(thing) -> Any: ...  # type: ignore[no-untyped-def]
def needs_untyped(request: Request, thing: Annotated[int, Provide(lambda number, other: 1)]) -> Any: ...
def not_a_class(thing: Annotated[int | None, Provide()]) -> Any: ...
def takes_body(body: dict[str, int]) -> Any: ...
def two_bodies(first: Annotated[Any, Provide(takes_body)], second: dict[str, str]) -> Any: ...


@pytest.mark.parametrize(
    ("controller", "told"),
    [
        (needs_circle, "a dependency needs itself: circle_one needs circle_two needs circle_one"),
        (needs_untyped, "other: it is not in the path, and has no annotation"),
        (not_a_class, r"expected a class as the type, or Provide\(function\)"),
        (two_bodies, "the body is taken twice, as body and second"),
    ],
)
def test_what_stops_the_start(controller: Callable[..., Any], told: str) -> None:
    with pytest.raises(StartupError, match=told) as error:
        Application([Route("/", controller, ["POST"])])
    assert str(error.value).startswith(__file__)


def test_a_wrong_function() -> None:
    with pytest.raises(TypeError, match="Provide: expected a function, got 5"):
        Provide(5)  # type: ignore[arg-type]
    assert repr(Provide(user)) == "Provide(user)"


def test_a_controller_that_cannot_wait() -> None:
    def show(path: Annotated[str, Provide(later)]) -> str:
        return path

    with pytest.raises(StartupError, match="run='inline': .* cannot wait for later, which is async def") as error:
        Application([Route("/", show, run="inline")])
    assert str(error.value).startswith(__file__)
