from collections.abc import Callable
from typing import Any

import pytest

from atlas import Application, AsyncRequest, Request, Route
from atlas.testing import TestClient
from atlas.web.errors.missing_await import note_missing_await

pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")


async def subscript(request: AsyncRequest) -> Any:
    return request.form()["name"]  # type: ignore[index]


async def attribute(request: AsyncRequest) -> Any:
    return request.json().get("name")  # type: ignore[attr-defined]


async def length(request: AsyncRequest) -> Any:
    return len(request.body())  # type: ignore[arg-type]


async def contains(request: AsyncRequest) -> Any:
    return "name" in request.form()  # type: ignore[operator]


async def unpacked(request: AsyncRequest) -> Any:
    first, second = request.files()  # type: ignore[misc]
    return first + second


async def find() -> str:
    return "x"


def in_sync_code(request: Request) -> Any:
    return find() + "y"  # type: ignore[operator]


@pytest.mark.parametrize("controller", [subscript, attribute, length, contains, unpacked, in_sync_code])
def test_the_error_says_that_await_is_missing(controller: Callable[..., Any]) -> None:
    with TestClient(Application([Route("/", controller, ["POST"])])) as client:
        with pytest.raises((TypeError, AttributeError)) as raised:
            client.post("/")
        (note,) = raised.value.__notes__
        assert note.startswith(f"'await' is missing in {__file__}:{controller.__code__.co_firstlineno + 1}: ")
        assert ("await_(...)" in note) == (controller is in_sync_code)


def test_the_debug_page_shows_it() -> None:
    with TestClient(
        Application([Route("/", subscript, ["POST"])], debug=True), raise_server_exceptions=False
    ) as client:
        page = client.post("/", headers={"accept": "text/html"}).text
    assert "await&#x27; is missing in" in page or "await&#39; is missing in" in page


def test_a_handler_of_the_application_sees_it_once() -> None:
    seen = []

    def handler(request: Request, error: Exception) -> str:
        note_missing_await(error)
        seen.extend(error.__notes__)
        return "handled"

    app = Application([Route("/", subscript, ["POST"])], exception_handlers={TypeError: handler})
    with TestClient(app) as client:
        assert client.post("/").text == "handled"
    assert len(seen) == 1


def test_other_errors_have_no_note() -> None:
    for error in (ValueError("coroutine"), TypeError("a"), TypeError("coroutine without a traceback")):
        note_missing_await(error)
        assert not hasattr(error, "__notes__")
