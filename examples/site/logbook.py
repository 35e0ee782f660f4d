"""The logbook: what visitors write down, and what a page of it has to be."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from lakes import BY_SLUG, Lake

NAME_MAX, NOTE_MIN, NOTE_MAX, KEPT = 40, 10, 400, 50


@dataclass(frozen=True)
class Entry:
    """One entry, as it was written."""

    number: int
    name: str
    lake: Lake
    note: str


@dataclass
class Draft:
    """A form as it was filled in, and what is wrong with it, by field."""

    name: str = ""
    lake: str = ""
    note: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Draft:
        """Read and check a form; ``errors`` is empty if it is good."""
        draft = cls(form.get("name", "").strip(), form.get("lake", ""), form.get("note", "").strip())
        draft.note = draft.note.replace("\r\n", "\n")
        if not draft.name:
            draft.errors["name"] = "Please sign with a name."
        elif len(draft.name) > NAME_MAX:
            draft.errors["name"] = f"A name has room for {NAME_MAX} characters, this one has {len(draft.name)}."
        elif not draft.name.isprintable():
            draft.errors["name"] = "A name is one line of plain text."
        if draft.lake not in BY_SLUG:
            draft.errors["lake"] = "Please choose one of the nine lakes."
        if len(draft.note) < NOTE_MIN:
            draft.errors["note"] = f"Please write a sentence: {NOTE_MIN} characters at least."
        elif len(draft.note) > NOTE_MAX:
            draft.errors["note"] = f"There is room for {NOTE_MAX} characters, this has {len(draft.note)}."
        return draft


class Logbook:
    """The entries, newest first. The book is short: the oldest make room."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._next = 1

    def write(self, draft: Draft) -> Entry:
        """Enter a draft that has no errors."""
        entry = Entry(self._next, draft.name, BY_SLUG[draft.lake], draft.note)
        self._next += 1
        self._entries.appendleft(entry)
        return entry

    def read(self, lake: Lake | None = None) -> list[Entry]:
        """All entries, or those on one lake."""
        return [entry for entry in self._entries if lake is None or entry.lake is lake]


def first_pages() -> Logbook:
    """A logbook that somebody has begun already."""
    book = Logbook()
    for name, lake, note in (
        ("Ilse", "loch-ness", "Two hours of rain, one hour of fog, then five minutes in which all of it was silver."),
        ("Tomás", "titicaca", "Rowed out before sunrise. At this height one sits down after every ten strokes."),
        ("Aigul", "issyk-kul", "Swam in October. The mountains had snow on them, and the water did not care."),
    ):
        book.write(Draft(name, lake, note))
    return book
