from __future__ import annotations

import re

import pytest
from notes import Note, Tag, db
from seed import FIRST, seed
from sqlalchemy import func, select

from atlas import TestClient


@pytest.fixture
def filled(client: TestClient) -> TestClient:
    db.run(seed)
    return client


def number_of(table: type[Note] | type[Tag]) -> int:
    return db.run(lambda: db.session.scalar(select(func.count()).select_from(table)) or 0)


def token(client: TestClient) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/").text)
    assert found is not None
    return found[1]


def titles(page: str) -> list[str]:
    return re.findall(r"<h2>([^<]+)</h2>", page)


def test_an_empty_page(client: TestClient) -> None:
    assert "Nothing here yet" in client.get("/").text


def test_the_page_shows_notes_and_their_tags(filled: TestClient) -> None:
    page = filled.get("/").text
    assert titles(page) == [draft.title for draft in reversed(FIRST)]
    assert page.count('class="tag" href="/?tag=how"') == 2


def test_search(filled: TestClient) -> None:
    assert titles(filled.get("/", params={"tag": "how"}).text) == ["Lazy loading", "What a greenlet is"]
    assert titles(filled.get("/", params={"q": "SUNRISE strokes"}).text) == ["Rowing before sunrise"]
    assert titles(filled.get("/", params={"q": "100%"}).text) == []


def test_creating_and_deleting(client: TestClient) -> None:
    form = {"title": "Tea", "text": "<b>Green</b>", "tags": "Kitchen, tea", "csrf_token": token(client)}
    answer = client.post("/notes", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/#note-1")
    assert "&lt;b&gt;Green" in client.get("/").text
    assert number_of(Tag) == 2
    client.post("/notes/1/forget", data={"csrf_token": token(client)})
    assert number_of(Note) == 0


def test_an_invalid_form_keeps_its_values(client: TestClient) -> None:
    answer = client.post("/notes", data={"title": " ", "text": "kept", "csrf_token": token(client)})
    assert answer.status_code == 422
    assert "kept</textarea>" in answer.text
    assert "length &gt;= 1" in answer.text
    assert number_of(Note) == 0


def test_a_form_without_a_csrf_token_is_refused(client: TestClient) -> None:
    assert client.post("/notes", data={"title": "Spam"}).status_code == 403


def test_the_api(filled: TestClient) -> None:
    answer = filled.post("/api/notes", json={"title": "Tea", "tags": ["kitchen"]})
    assert answer.status_code == 201
    note = filled.get(answer.headers["location"]).json()
    assert note == {"id": len(FIRST) + 1, "title": "Tea", "text": "", "tags": ["kitchen"]}
    found = filled.get("/api/notes", params={"tag": "kitchen"}).json()["notes"]
    assert [each["title"] for each in found] == ["Tea", "Bread"]
    assert filled.delete(answer.headers["location"]).status_code == 204
    assert filled.get(answer.headers["location"]).status_code == 404


@pytest.mark.parametrize("body", [{}, {"title": ""}, {"title": "Tea", "tags": ["two words"]}, []])
def test_the_api_refuses_invalid_input(client: TestClient, body: object) -> None:
    assert client.post("/api/notes", json=body).status_code == 422
    assert number_of(Note) == 0
