"""The account of a member: text, picture, and token."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.visiting import Visitor, error_of, token_of

# The smallest files that browsers show.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")


def pictures(visitor: Visitor) -> list[str]:
    return re.findall(r'src="(/pictures/[^"]+)" width="96"', visitor.open("/people/newcomer").text)


def test_the_text_of_a_member(member: Visitor) -> None:
    assert member.send("/account", about="I walk.\r\nSometimes <fast>.").headers["location"] == "/people/newcomer"
    page = member.open("/people/newcomer")
    assert "Your profile has been changed." in page.text
    assert "Sometimes &lt;fast&gt;." in page.text
    too_long = member.send("/account", about="x" * 301)
    assert (too_long.status_code, "At most 300" in error_of(too_long, "about")) == (422, True)


def test_an_uploaded_picture_is_shown(member: Visitor, tmp_path: Path) -> None:
    member.send("/account", files={"picture": ("../../me.exe", PNG, "application/x-dosexec")}, about="")
    (address,) = pictures(member)
    picture = member.open(address)
    assert picture.content == PNG
    assert picture.headers["content-type"] == "image/png", "the type of the content"
    assert picture.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in picture.headers["cache-control"]
    assert [path.parent for path in tmp_path.rglob("*.png")] == [tmp_path / "pictures"]
    assert not list(tmp_path.rglob("*.exe"))


def test_a_replaced_or_removed_picture_is_deleted(member: Visitor, tmp_path: Path) -> None:
    member.send("/account", files={"picture": ("one.png", PNG, "image/png")}, about="")
    member.send("/account", files={"picture": ("two.gif", GIF, "image/gif")}, about="")
    assert pictures(member)[0].endswith(".gif")
    member.send("/account", about="A word.")
    assert pictures(member)[0].endswith(".gif"), "the picture is kept without a new one"
    member.send("/account", about="", remove_picture="yes")
    assert pictures(member) == []
    assert list((tmp_path / "pictures").iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "This file is not a PNG"),
        (b"<!doctype html><script>alert(1)</script>", "This file is not a PNG"),
        (PNG + b"\0" * 512 * 1024, "the maximum is 512"),
    ],
    ids=["svg", "html", "large"],
)
def test_other_files_and_large_pictures_are_refused(
    member: Visitor, tmp_path: Path, content: bytes, message: str
) -> None:
    page = member.send("/account", files={"picture": ("me.png", content, "image/png")}, about="Hello.")
    assert page.status_code == 422
    assert message in error_of(page, "picture")
    assert "Hello.</textarea>" in page.text
    assert list((tmp_path / "pictures").iterdir()) == []


def test_a_body_over_the_limit_is_refused(member: Visitor) -> None:
    page = member.send("/account", files={"picture": ("me.png", PNG + b"\0" * 2**20, "image/png")}, about="")
    assert (page.status_code, "Too large" in page.text) == (413, True)


def test_a_token_is_shown_once_and_replaced_by_the_next(member: Visitor) -> None:
    def new_token() -> str:
        page = member.send("/account", to="/account/token")
        return re.search(r'id="token">([^<]+)<', page.text)[1]  # type: ignore[index]

    first, second = new_token(), new_token()
    assert 'id="token"' not in member.open("/account").text
    thread = {"board": "harbour", "title": "From a program", "text": "Bleep, said the program."}
    for token, status in ((first, 401), (second, 201)):
        answer = member.client.post("/api/threads", json=thread, headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == status


def test_the_pages_are_for_members(visitor: Visitor) -> None:
    assert visitor.client.get("/account").status_code == 303
    token = token_of(visitor.open("/login"))
    assert visitor.client.post("/account/token", data={"csrf_token": token}).status_code == 303
