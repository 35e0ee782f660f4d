"""Results that cannot be sent: the log line and the debug page name the controller, whose frame has ended."""

import re
from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

import httpx
import pytest

from atlas import Application, JSONResponse, Request, Route

Ask = Callable[..., httpx.Response]
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")


class Odd:
    pass


async def value() -> int:
    return 1


def no_response(request: Request) -> Any:
    return Odd()


async def no_response_async(request: Request) -> Any:
    return Odd()


def no_response_with_a_status(request: Request) -> Any:
    return Odd(), 200


def status_as_text(request: Request) -> Any:
    return "x", "404"


def status_first(request: Request) -> Any:
    return 404, "x"


def status_true(request: Request) -> Any:
    return "x", True


async def status_of_two_digits(request: Request) -> Any:
    return "x", 99


def status_of_an_interim_response(request: Request) -> Any:
    return "x", 103


def status_of_four_digits(request: Request) -> Any:
    return "x", 1000


def four_values(request: Request) -> Any:
    return "x", 200, {}, 1


def fields_as_a_list(request: Request) -> Any:
    return "x", 200, ["x-a"]


def field_with_a_line_break(request: Request) -> Any:
    return "x", 200, {"x-a": "b\nc"}


def json_without_a_form(request: Request) -> Any:
    return {"a": [Odd()]}


async def json_without_await(request: Request) -> Any:
    return {"a": [value()]}


def json_without_await_with_a_status(request: Request) -> Any:
    return {"a": value()}, 200


async def without_await(request: Request) -> Any:
    return value()


def without_async(request: Request) -> Any:
    return value()


def surrogates(request: Request) -> Any:
    return "\ud800"


BAD: dict[Callable[..., Any], str] = {
    no_response: "returned an Odd; expected a Response, str,",
    no_response_async: "returned an Odd; expected a Response, str,",
    no_response_with_a_status: "returned an Odd; expected a Response, str,",
    status_as_text: "returned a tuple (str, str); expected (body, status) or (body, status, headers)",
    status_first: "returned a tuple (int, str); expected (body, status)",
    status_true: "returned a tuple (str, bool); expected (body, status)",
    status_of_two_digits: "returned the status 99; expected one of three digits, from 200",
    status_of_an_interim_response: "returned the status 103; expected one of three digits, from 200",
    status_of_four_digits: "returned the status 1000; expected one of three digits, from 200",
    four_values: "returned a tuple (str, int, dict, int); expected (body, status)",
    fields_as_a_list: "returned a tuple that cannot be sent: headers: expected a mapping or pairs",
    field_with_a_line_break: "returned a tuple that cannot be sent: header 'x-a': ",
    json_without_a_form: "returned a dict that cannot be sent: JSON: the value at $.a[0] is of the type",
    json_without_await: "returned a dict that cannot be sent: JSON: the value at $.a[0] is a coroutine, 'await' is",
    json_without_await_with_a_status: "returned a dict that cannot be sent: JSON: the value at $.a is a coroutine",
    without_await: "returned an awaitable: write 'return await ...'",
    without_async: "returned an awaitable: make it 'async def', and await it there",
    surrogates: "returned a str that cannot be sent: ",
}
each_controller = pytest.mark.parametrize("controller", BAD, ids=lambda controller: controller.__name__)


@pytest.mark.parametrize(
    ("controller", "run"),
    [
        pytest.param(controller, run, id=f"{controller.__name__}-{run}")
        for controller in BAD
        for run in (["auto"] if iscoroutinefunction(controller) else ["auto", "thread", "inline"])
    ],
)
def test_the_message_names_the_controller_and_its_line(ask: Ask, caplog: Any, controller: Any, run: Any) -> None:
    assert ask(Application([Route("/", controller, run=run)]), "GET", "/").status_code == 500
    place = f"{__file__}:{controller.__code__.co_firstlineno}"
    assert f"the controller {controller.__name__} ({place}) {BAD[controller]}" in caplog.text
    assert "pyx" not in caplog.text


@each_controller
def test_the_debug_page_shows_the_controller_and_no_line_of_atlas(ask: Ask, controller: Any) -> None:
    page = ask(Application([Route("/", controller)], debug=True), "GET", "/", headers={"accept": "text/html"}).text
    where = re.search(r'<p class="where"><b>(.*?)</b> in <b>(.*?)</b>', page)
    assert where is not None
    assert where[1].endswith(f"test_bad_results.py:{controller.__code__.co_firstlineno}")
    assert where[2] == controller.__name__
    assert re.search(rf'class="?current"?><code>.*def {controller.__name__}\(', page)
    assert ".pyx" not in page


def late(request: Request) -> Any:
    return JSONResponse({"a": value()})


def test_a_response_that_cannot_be_made_shows_the_line_of_the_controller(ask: Ask, caplog: Any) -> None:
    """It is encoded in compiled code, whose frames are inside that of the controller."""
    app = Application([Route("/", late)], debug=True)
    page = ask(app, "GET", "/", headers={"accept": "text/html"}).text
    line = late.__code__.co_firstlineno + 1
    assert f"test_bad_results.py:{line}</b> in <b>late</b>" in page
    assert f"'await' is missing in {__file__}:{line}: return JSONResponse" in caplog.text


def test_a_result_of_a_middleware_is_not_blamed_on_the_controller(ask: Ask, caplog: Any) -> None:
    def wrong(request: Request, call_next: Any) -> Any:
        return Odd()

    app = Application([Route("/", lambda request: "x")], middleware=[wrong], debug=True)
    page = ask(app, "GET", "/", headers={"accept": "text/html"}).text
    line = wrong.__code__.co_firstlineno
    assert f"the middleware wrong ({__file__}:{line}) returned an Odd" in caplog.text
    assert f"test_bad_results.py:{line}</b> in <b>wrong</b>" in page
