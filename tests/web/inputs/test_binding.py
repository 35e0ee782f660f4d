"""The functions that call controllers with their inputs; test_text_values.py and test_bodies.py have the values."""

import inspect
import traceback
from typing import Annotated, Any

import pytest

from atlas import Application, Query, Request, Route, TestClient


def plain(request: Request, name: str) -> str:
    return name


def typed(request: Request, name: str, page: int = 1) -> str:
    return f"{name} {page}"


def route(controller: Any) -> Route:
    (found,) = Application([Route("/{name}", controller)]).router.routes
    return found


def test_a_controller_that_takes_the_path_as_it_is_is_called_itself() -> None:
    assert route(plain).call({}) is plain


def test_the_function_tells_what_it_calls() -> None:
    call = route(typed).call({})
    assert call is not typed
    assert call.__name__ == "typed"
    assert inspect.unwrap(call) is typed
    assert inspect.signature(call) == inspect.signature(typed)


def test_parameters_that_are_passed_by_name() -> None:
    def page(*, request: Request, size: int = 1, name: str, _: Annotated[int, Query("under")] = 2) -> Any:
        return [name, size, _, request.method]

    with TestClient(Application([Route("/{name}", page)])) as client:
        assert client.get("/a?size=3&under=4").json() == ["a", 3, 4, "GET"]


def test_names_of_parameters_do_not_disturb_the_function() -> None:
    def page(body: str, explain: str, controller: str, wrong: str, query: str, error: str, request_: int = 1) -> Any:
        return [body, explain, controller, wrong, query, error]

    with TestClient(Application([Route("/{controller}/{body}", page)])) as client:
        assert client.get("/c/b?explain=e&wrong=w&query=q&error=x").json() == ["b", "e", "c", "w", "q", "x"]
        assert client.get("/c/b").status_code == 422


def test_an_error_of_the_controller_is_not_one_of_the_client() -> None:
    def page(page: int = 1) -> str:
        raise ValueError("of the controller")

    with TestClient(Application([Route("/", page)]), raise_server_exceptions=False) as client:
        assert client.get("/").status_code == 500
        assert client.get("/?page=x").status_code == 422


def test_middleware_sees_the_refusal() -> None:
    seen = []

    def watch(request: Request, call_next: Any) -> Any:
        response = call_next(request)
        seen.append(response.status_code)
        return response

    def page(page: int) -> str:
        return str(page)

    with TestClient(Application([Route("/", page)], middleware=[watch])) as client:
        client.get("/?page=x")
        client.get("/?page=1")
    assert seen == [422, 200]


def test_a_traceback_has_no_line_of_the_values() -> None:
    def page(page: int) -> str:
        raise KeyError(page)

    with TestClient(Application([Route("/", page)])) as client, pytest.raises(KeyError) as error:
        client.get("/?page=1")
    assert "page" in traceback.extract_tb(error.value.__traceback__)[-1].name
