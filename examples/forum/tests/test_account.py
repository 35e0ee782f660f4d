"""Registration, login, logout, and their protection."""

from __future__ import annotations

import pytest
from atlas import TestClient

from forum.visitors import local
from tests.visiting import PASSWORD, Visitor, error_of, token_of


def test_registration_logs_in(visitor: Visitor) -> None:
    assert visitor.register("marco").headers["location"] == "/"
    page = visitor.open("/")
    assert "Welcome, marco." in page.text
    assert "Log out" in page.text
    assert "Welcome" not in visitor.open("/").text, "a message is shown once"


@pytest.mark.parametrize(
    ("name", "password", "field", "message"),
    [
        ("ab", PASSWORD, "name", "3 to 24 letters"),
        ("-marco", PASSWORD, "name", "no hyphen at its ends"),
        ("marco polo", PASSWORD, "name", "3 to 24 letters"),
        ("INES", PASSWORD, "name", "This name is taken."),
        ("marco", "short", "password", "at least 10 characters"),
        ("marco", "", "password", "Please fill this in."),
        ("marco", "x" * 201, "password", "At most 200 characters"),
        ("marcopolo1254", "MarcoPolo1254", "password", "must differ from the name"),
    ],
)
def test_an_invalid_field_has_a_message(visitor: Visitor, name: str, password: str, field: str, message: str) -> None:
    page = visitor.send("/register", name=name, password=password)
    assert page.status_code == 422
    assert message in error_of(page, field)
    assert f'value="{name}"' in page.text, "the form keeps its values"
    assert password not in page.text or not password


def test_login_and_logout(member: Visitor) -> None:
    assert member.log_out().headers["location"] == "/"
    assert "You are logged out." in member.open("/").text
    assert "Name and password do not belong together." in error_of(
        member.send("/login", name="newcomer", password="something else"), "password"
    )
    assert member.send("/login", name="NEWCOMER", password=PASSWORD).status_code == 303
    assert "Log out" in member.open("/").text


@pytest.mark.parametrize("name", ["unknown", "ines", ""])
def test_an_unknown_member_or_one_without_a_password_cannot_log_in(visitor: Visitor, name: str) -> None:
    assert visitor.send("/login", name=name, password="").status_code == 422


def test_a_login_gives_the_session_a_new_id(visitor: Visitor) -> None:
    visitor.open("/login")
    before = visitor.client.cookies["session"]
    visitor.register()
    assert visitor.client.cookies["session"] != before
    visitor.come_back_with(before)
    assert "Log out" not in visitor.open("/").text


def test_a_copy_of_the_cookie_is_invalid_after_the_logout(member: Visitor) -> None:
    stolen = member.client.cookies["session"]
    member.come_back_with(stolen)
    assert "Log out" in member.open("/").text
    member.log_out()
    member.come_back_with(stolen)
    assert "Log out" not in member.open("/").text


def test_a_form_from_another_site_is_refused(member: Visitor) -> None:
    reply = {"text": "I did not write this myself."}
    assert member.client.post("/threads/1/replies", data=reply).status_code == 403
    reply["csrf_token"] = token_of(member.open("/threads/1"))
    elsewhere = {"origin": "https://elsewhere.example"}
    refused = member.client.post("/threads/1/replies", data=reply, headers=elsewhere)
    assert (refused.status_code, "Not allowed" in refused.text) == (403, True)
    assert "I did not write this myself." not in member.open("/threads/1").text


def test_a_login_invalidates_csrf_tokens(visitor: Visitor) -> None:
    old = token_of(visitor.open("/register"))
    visitor.register()
    assert visitor.client.post("/logout", data={"csrf_token": old}).status_code == 403


def test_login_attempts_are_limited(visitor: Visitor) -> None:
    token = token_of(visitor.open("/login"))
    guess = {"name": "", "password": "", "csrf_token": token}
    statuses = [visitor.client.post("/login", data=guess).status_code for _ in range(11)]
    assert statuses == [422] * 10 + [429]
    refused = visitor.client.post("/login", data=guess)
    assert "Too many attempts" in refused.text
    assert 1 <= int(refused.headers["retry-after"]) <= 6


def test_pages_for_members_redirect_to_the_login_and_back(visitor: Visitor) -> None:
    page = visitor.open("/threads/new")
    assert (page.url.path, page.url.query) == ("/login", b"next=%2Fthreads%2Fnew")
    assert "Please log in for that." in page.text
    answer = visitor.send("/register?next=/threads/new", name="marco", password=PASSWORD)
    assert answer.headers["location"] == "/threads/new"


@pytest.mark.parametrize(
    "address",
    [
        "https://elsewhere.example/",
        "//elsewhere.example",
        "/\\elsewhere.example",
        "javascript:alert(1)",
        "x",
        "",
        "/\n",
    ],
)
def test_a_login_redirects_to_paths_of_this_site_only(address: str) -> None:
    assert local(address, otherwise="/") == "/"
    assert local("/threads/7?page=2", otherwise="/") == "/threads/7?page=2"


def test_the_cookie_is_httponly_and_samesite(client: TestClient) -> None:
    cookie = client.get("/login").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
