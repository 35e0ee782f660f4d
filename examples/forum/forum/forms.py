"""What people fill in, and what is wrong with it, told at its field.

A draft is what a template shows again, so nothing that somebody has typed is lost over a mistake.
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
    """What all forms share: mistakes by field. A draft without any is good."""

    errors: dict[str, str] = field(default_factory=dict, kw_only=True)

    def check_length(self, name: str, least: int, most: int) -> None:
        """Complain about the field ``name`` if it has fewer or more characters."""
        count = len(getattr(self, name))
        if count < least:
            self.errors[name] = f"Please write {least} characters at least." if count else "Please fill this in."
        elif count > most:
            self.errors[name] = f"There is room for {most} characters, and this has {count}."


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
    """Somebody who wants to take part."""

    name: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Registration:
        draft = cls(as_line(form.get("name", "")), form.get("password", ""))
        if not NAME.fullmatch(draft.name):
            draft.errors["name"] = "A name has 3 to 24 letters, digits or hyphens, and no hyphen at its ends."
        draft.check_length("password", PASSWORD_MIN, PASSWORD_MAX)
        if not draft.errors and draft.password.casefold() == draft.name.casefold():
            draft.errors["password"] = "Your name is no secret."
        return draft


@dataclass
class Login(Draft):
    """Somebody who says who it is."""

    name: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Login:
        return cls(as_line(form.get("name", "")), form.get("password", "")[:PASSWORD_MAX])


@dataclass
class Profile(Draft):
    """What somebody says of itself."""

    about: str = ""

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Profile:
        draft = cls(as_text(form.get("about", "")))
        draft.check_length("about", 0, ABOUT_MAX)
        return draft


def as_line(text: str) -> str:
    """What was typed into one line: whatever blanks are in it, one of them will do."""
    return " ".join(_CONTROL.sub(" ", text).split())


def as_text(text: str) -> str:
    """What was typed into several lines, without the control characters that no keyboard writes."""
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\t", "    ")).strip()
