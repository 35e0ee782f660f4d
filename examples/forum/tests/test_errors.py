"""When something is wrong, on either side."""

from __future__ import annotations

import sqlite3

import pytest
from atlas import Application, TestClient

from forum.store import threads
from tests.visiting import BROWSER, Visitor


def test_an_address_that_there_is_not(visitor: Visitor) -> None:
    page = visitor.open("/no/such/place")
    assert page.status_code == 404
    assert "Not found" in page.text
    assert "<header" in page.text, "it looks like every other page"


@pytest.mark.parametrize("path", ["/threads/", "/posts/", "/api/threads/"])
@pytest.mark.parametrize("number", ["0", "999", "9223372036854775808", "9" * 19, "9" * 20])
def test_a_number_of_nothing(visitor: Visitor, path: str, number: str) -> None:
    assert visitor.open(path + number).status_code == 404


def test_an_error_page_knows_who_is_asking_and_keeps_what_was_to_be_said(member: Visitor) -> None:
    assert "newcomer" in member.open("/nowhere").text
    assert "Welcome" in member.open("/").text


def test_a_surprise_says_only_its_number(
    app: Application, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("disk I/O error in a secret place")

    monkeypatch.setattr(threads, "page", broken)
    with TestClient(app, raise_server_exceptions=False) as client:
        page = client.get("/", headers=BROWSER)
        assert (page.status_code, "Internal error" in page.text) == (500, True)
        assert page.headers["x-request-id"] in page.text
        assert page.headers["x-request-id"] in caplog.text
        assert "secret place" not in page.text
        assert client.get("/api/threads").json()["title"] == "Internal Server Error"


def test_every_page_says_what_it_is_made_of_and_nothing_else_runs(visitor: Visitor) -> None:
    page = visitor.open("/")
    policy = page.headers["content-security-policy"]
    nonce = policy.partition("'nonce-")[2].partition("'")[0]
    assert f'<script nonce="{nonce}">' in page.text
    assert "unsafe" not in policy
    assert "style=" not in page.text, "the policy would not let it"
    assert f"'nonce-{nonce}'" not in visitor.open("/").headers["content-security-policy"], "each page has its own"
