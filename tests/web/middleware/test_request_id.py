from collections.abc import Callable
from typing import Any

import httpx
import pytest

from atlas import Application, AsyncRequest, Request, Route
from atlas.web.middleware.request_id import RequestID

Ask = Callable[..., httpx.Response]


def site(**options: Any) -> Application:
    def page(request: Request) -> str:
        return str(request.id)

    async def other(request: AsyncRequest) -> str:
        return str(request.id)

    return Application([Route("/", page), Route("/other", other)], middleware=[RequestID(**options)])


@pytest.mark.parametrize("path", ["/", "/other"])
def test_every_request_has_an_id(ask: Ask, path: str) -> None:
    answers = [ask(site(), "GET", path) for _ in range(2)]
    assert [len(answer.text) for answer in answers] == [32, 32]
    assert answers[0].text != answers[1].text
    assert [answer.headers["x-request-id"] for answer in answers] == [answer.text for answer in answers]


@pytest.mark.parametrize("brought", ["a", "550e8400-e29b-41d4-a716-446655440000", "1-5e1b:x/y+z=", "a" * 128])
def test_a_valid_id_of_the_client_is_used(ask: Ask, brought: str) -> None:
    response = ask(site(), "GET", "/", headers={"x-request-id": brought})
    assert (response.text, response.headers["x-request-id"]) == (brought, brought)


@pytest.mark.parametrize("brought", ["", "a b", "a" * 129, '"a"', "<script>", "a;b", "-a", "\xe9"])
def test_an_invalid_id_is_replaced(ask: Ask, brought: str) -> None:
    response = ask(site(), "GET", "/", headers={"x-request-id": brought.encode("latin-1")})
    assert response.text != brought
    assert len(response.text) == 32


def test_ids_of_clients_are_ignored_without_trust(ask: Ask) -> None:
    app = site(trust=False, make=lambda: "mine")
    assert ask(app, "GET", "/", headers={"x-request-id": "yours"}).text == "mine"


def test_another_field(ask: Ask) -> None:
    response = ask(site(header="X-Trace"), "GET", "/", headers={"x-trace": "t"})
    assert (response.text, response.headers.get_list("x-trace")) == ("t", ["t"])


def test_an_error_has_one_too(ask: Ask) -> None:
    response = ask(site(), "GET", "/missing", headers={"x-request-id": "r"})
    assert (response.status_code, response.headers["x-request-id"]) == (404, "r")


def test_invalid_options() -> None:
    with pytest.raises(ValueError, match="expected a token"):
        RequestID("x id")
    with pytest.raises(TypeError, match="RequestID: make"):
        RequestID(make="a")  # type: ignore[arg-type]
