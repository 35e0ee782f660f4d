"""Forms: reading, validation, and an error message per field.

After an error the template shows the draft again, with the values of the user.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

TITLE_MIN, TITLE_MAX = 8, 120
TEXT_MIN, TEXT_MAX = 10, 10_000
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,22})[a-z0-9]", re.IGNORECASE)
PASSWORD_MIN, PASSWORD_MAX = 10, 200
ABOUT_MAX = 300
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")  # all of them but the line feed


@dataclass
class Draft:
    """The base of all forms: error messages by field. A draft without errors is valid."""

    errors: dict[str, str] = field(default_factory=dict, kw_only=True)

    def check_length(self, name: str, least: int, most: int) -> None:
        """Add an error if the field ``name`` has fewer or more characters."""
        count = len(getattr(self, name))
        if count < least:
            self.errors[name] = f"Please write at least {least} characters." if count else "Please fill this in."
        elif count > most:
            self.errors[name] = f"At most {most} characters are allowed; this has {count}."


@dataclass
class PostDraft(Draft):
    """A reply."""

    text: str = ""

    @classmethod
    def read(cls, form: Mapping[str, str]) -> PostDraft:
        draft = cls(as_text(form.get("text", "")))
        draft.check_length("text", TEXT_MIN, TEXT_MAX)
        return draft


@dataclass
class ThreadDraft(Draft):
    """A new thread with its first post."""

    board: str = ""
    title: str = ""
    text: str = ""

    @classmethod
    def read(cls, form: Mapping[str, str]) -> ThreadDraft:
        draft = cls(form.get("board", ""), as_line(form.get("title", "")), as_text(form.get("text", "")))
        if not draft.board:
            draft.errors["board"] = "Please choose a board."
        draft.check_length("title", TITLE_MIN, TITLE_MAX)
        draft.check_length("text", TEXT_MIN, TEXT_MAX)
        return draft


@dataclass
class Registration(Draft):
    """Name and password of a new member."""

    name: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Registration:
        draft = cls(as_line(form.get("name", "")), form.get("password", ""))
        if not NAME.fullmatch(draft.name):
            draft.errors["name"] = "A name has 3 to 24 letters, digits or hyphens, and no hyphen at its ends."
        draft.check_length("password", PASSWORD_MIN, PASSWORD_MAX)
        if not draft.errors and draft.password.casefold() == draft.name.casefold():
            draft.errors["password"] = "The password must differ from the name."
        return draft


@dataclass
class Login(Draft):
    """Name and password for a login."""

    name: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Login:
        return cls(as_line(form.get("name", "")), form.get("password", "")[:PASSWORD_MAX])


@dataclass
class Profile(Draft):
    """The text on the page of a member."""

    about: str = ""

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Profile:
        draft = cls(as_text(form.get("about", "")))
        draft.check_length("about", 0, ABOUT_MAX)
        return draft


def as_line(text: str) -> str:
    """Return the text as one line, with single spaces and without control characters."""
    return " ".join(_CONTROL.sub(" ", text).split())


def as_text(text: str) -> str:
    """Return the text with line feeds as the only control characters."""
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\t", "    ")).strip()
