from dataclasses import dataclass
from typing import Any

import pytest

from atlas.web.errors.masking import MASK, is_secret, masked, shown


@pytest.mark.parametrize(
    "name",
    [
        "password", "user_password", "passwd", "SECRET_KEY", "apiKey", "api_key", "csrfToken", "access-token",
        "Authorization", "Proxy-Authorization", "cookie", "Set-Cookie", "session", "sessionid", "key", "pin",
        "PASSWORDHASH", b"cookie", "credentials",
    ],
)  # fmt: skip
def test_names_of_secrets(name: Any) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["monkey", "author", "keyboard", "host", "spin", "lake", "KeyError", "", None, 5])
def test_names_of_other_things(name: Any) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize(
    "text",
    [
        "Login(name='ada', password='hush')",
        "{'token': 'hush'}",
        '{"api_key": "hush"}',
        "[(b'authorization', b'hush'), (b'host', b'x')]",
        'SECRET_KEY: str = "hush"',
        'secret = "hush \\" hush"',
        "x: Bearer hush-hush",
        "postgres://ada:hush@db.test/site",
    ],
)
def test_secrets_in_a_text(text: str) -> None:
    assert "hush" not in masked(text)
    assert MASK in masked(text)


def test_other_texts_stay() -> None:
    text = "Lake(name='Ness', depth=230, monkey='x') http://a.test/b"
    assert masked(text) == text


class Evil:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Endless:
    def __repr__(self) -> str:
        return f"<{self!r}>"


@dataclass
class Login:
    password: str


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "'a'"),
        ({"password": "hush", "n": 1}, f"{{'password': {MASK}, 'n': 1}}"),
        ([Login("hush")], f"[Login(password='{MASK}')]"),
        (Evil(), "<Evil, whose repr raised RuntimeError>"),
        ([Evil()], "[<Evil, whose repr raised RuntimeError>]"),
        ({Evil(): Evil()}, "{<Evil, whose repr raised RuntimeError>: <Evil, whose repr raised RuntimeError>}"),
        (Endless(), "<Endless, whose repr raised RecursionError>"),
        (None, "None"),
    ],
)
def test_values(value: object, text: str) -> None:
    assert shown("value", value) == text


def test_values_of_secret_names_are_masked() -> None:
    assert shown("password", "hush") == MASK
    assert shown("password", Evil()) == MASK
    assert shown("password", None) == "None"


def test_long_values_are_cut() -> None:
    assert shown("x", "y" * 5000) == f"'{'y' * 600}'… 5,000 characters"
    assert shown("x", b"y" * 5000).endswith("… 5,000 bytes")
    assert shown("x", ["y" * 5000]) == f"['{'y' * 160}'… 5,000 characters]"
    assert len(shown("x", {str(number): number for number in range(5000)})) < 500
    assert shown("x", {str(number): number for number in range(30)}).endswith("… 10 more}")
    assert len(shown("x", [["y" * 150] * 50] * 50)) < 2100
