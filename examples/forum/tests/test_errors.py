"""Error pages."""

from __future__ import annotations

import sqlite3

import pytest
from atlas import Application, TestClient

from forum.store import threads
from tests.visiting import BROWSER, Visitor


def test_an_unknown_path(visitor: Visitor) -> None:
    page = visitor.open("/no/such/place")
    assert page.status_code == 404
    assert "Not found" in page.text
    assert "<header" in page.text, "it has the layout of the site"


@pytest.mark.parametrize("path", ["/threads/", "/posts/", "/api/threads/"])
@pytest.mark.parametrize("number", ["0", "999", "9223372036854775808", "9" * 19, "9" * 20])
def test_an_unknown_number(visitor: Visitor, path: str, number: str) -> None:
    assert visitor.open(path + number).status_code == 404


def test_an_error_page_shows_the_user_and_keeps_flashed_messages(member: Visitor) -> None:
    assert "newcomer" in member.open("/nowhere").text
    assert "Welcome" in member.open("/").text


def test_an_unhandled_exception_shows_the_request_id_only(
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


def test_every_page_has_a_content_security_policy(visitor: Visitor) -> None:
    page = visitor.open("/")
    policy = page.headers["content-security-policy"]
    nonce = policy.partition("'nonce-")[2].partition("'")[0]
    assert f'<script nonce="{nonce}">' in page.text
    assert "unsafe" not in policy
    assert "style=" not in page.text, "the policy would not let it"
    assert f"'nonce-{nonce}'" not in visitor.open("/").headers["content-security-policy"], "each page has its own"
