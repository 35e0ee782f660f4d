"""The JSON API."""

from __future__ import annotations

import re
from typing import Any

import pytest
from atlas import TestClient

from tests.visiting import PASSWORD, token_of

GOOD = {"board": "instruments", "title": "A thread by a program", "text": "Hello from the other side."}


@pytest.fixture
def token(client: TestClient) -> str:
    """The token of a new member. The client has no cookies afterwards, as a program has none."""
    fields = {"name": "robot", "password": PASSWORD, "csrf_token": token_of(client.get("/register"))}
    client.post("/register", data=fields)
    page = client.post("/account/token", data={"csrf_token": token_of(client.get("/account"))})
    client.cookies.clear()
    return re.search(r'id="token">([^<]+)<', page.text)[1]  # type: ignore[index]


def start(client: TestClient, token: str, body: Any) -> Any:
    return client.post("/api/threads", json=body, headers={"authorization": f"Bearer {token}"})


def test_the_list(client: TestClient) -> None:
    body = client.get("/api/threads").json()
    assert body["total"] == len(body["threads"]) == 26
    assert body["threads"][0]["title"].startswith("The bridge at kilometre eleven")
    assert body["threads"][0]["board"] == "field-notes"


def test_the_list_has_the_url_of_each_thread(client: TestClient) -> None:
    entry = client.get("/api/threads").json()["threads"][0]
    thread = client.get(entry["url"]).json()
    assert len(thread["posts"]) == entry["replies"] + 1
    assert thread["posts"][0]["author"]["name"] == "aigul"
    assert client.get(thread["page"]).status_code == 200


def test_pages_link_to_the_previous_and_the_next_page(client: TestClient, token: str) -> None:
    for number in range(25):
        assert start(client, token, {**GOOD, "title": f"Thread number {number}"}).status_code == 201
    first = client.get("/api/threads")
    assert first.headers["link"] == '<http://testserver/api/threads?page=2>; rel="next"'
    assert len(client.get("/api/threads?page=2").json()["threads"]) == 1
    assert client.get("/api/threads?page=3").status_code == 404


def test_a_conditional_request_is_answered_with_304(client: TestClient) -> None:
    tag = client.get("/api/threads").headers["etag"]
    assert client.get("/api/threads", headers={"if-none-match": tag}).status_code == 304


def test_a_new_thread(client: TestClient, token: str) -> None:
    answer = start(client, token, GOOD)
    assert answer.status_code == 201
    there = client.get(answer.headers["location"]).json()
    assert (there["author"], there["title"], there["replies"]) == ("robot", GOOD["title"], 0)
    assert there["posts"][0]["text"] == GOOD["text"]


@pytest.mark.parametrize("field", ["", "Basic cm9ib3Q6eA==", "Bearer", "Bearer nonsense"])
def test_a_request_without_a_token_is_refused(client: TestClient, field: str) -> None:
    answer = client.post("/api/threads", json=GOOD, headers={"authorization": field})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.headers["content-type"] == "application/problem+json"


def test_every_validation_error_has_its_path(client: TestClient, token: str) -> None:
    answer = start(client, token, {"board": 7, "title": "short", "text": "Long enough, this one."})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [error["path"] for error in answer.json()["errors"]] == ["/body/board", "/body/title"]


def test_control_characters_are_removed(client: TestClient, token: str) -> None:
    answer = start(client, token, {**GOOD, "title": "Lines\nand\x02 marks", "text": "A \x02tab\tand\r\na \x00line."})
    there = client.get(answer.headers["location"]).json()
    assert (there["title"], there["posts"][0]["text"]) == ("Lines and marks", "A tab    and\na line.")


def test_other_invalid_bodies(client: TestClient, token: str) -> None:
    unknown = start(client, token, {**GOOD, "board": "attic"})
    assert (unknown.status_code, unknown.json()["detail"]) == (422, "There is no board 'attic'.")
    assert start(client, token, {**GOOD, "unknown": "field"}).status_code == 422
    bearer = {"authorization": f"Bearer {token}"}
    assert client.post("/api/threads", content=b"{", headers=bearer).status_code == 400


def test_errors_of_the_api_are_problem_details(client: TestClient) -> None:
    answer = client.get("/api/threads/999", headers={"accept": "text/html"})
    assert answer.json() == {
        "title": "Not Found",
        "status": 404,
        "detail": "There is no thread 999, or it was deleted.",
    }
    refused = client.delete("/api/threads/1")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
