from collections.abc import Callable
from typing import Any

import httpx
import pytest

from atlas import Application, Route
from atlas.web.endpoint import endpoint, endpoint_with_body
from atlas.web.error_handlers import ErrorHandlers
from atlas.web.middleware.chain import Colour

Ask = Callable[..., httpx.Response]


class Called:
    def __init__(self, run: str) -> None:
        self.run = run

    def controller(self, request: Any) -> str:
        return self.run


@pytest.mark.parametrize(
    ("run", "colour"),
    [("await", Colour.ASYNC), ("inline", Colour.PLAIN), ("greenlet", Colour.ASYNC), ("thread", Colour.ASYNC)],
)
def test_the_colour_of_a_call(run: str, colour: Colour) -> None:
    assert endpoint(Called(run), ErrorHandlers(debug=False)).colour is colour
    assert endpoint_with_body(Called(run), ErrorHandlers(debug=False)).colour is Colour.ASYNC


def test_a_plain_controller_finds_its_body_read(ask: Ask) -> None:
    app = Application([Route("/", lambda request: request.body(), ["GET", "POST"])])
    assert ask(app, "POST", "/", content=b"abc").content == b"abc"
    assert ask(app, "GET", "/", content=b"abc").content == b"abc"
    assert ask(app, "GET", "/").content == b""
