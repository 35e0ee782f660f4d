"""Notes and their tags: tables and queries, in synchronous SQLAlchemy."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from msgspec import Meta, Struct
from sqlalchemy import Column, ForeignKey, Table, func, or_, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

from atlas import NotFound
from atlas.sqlalchemy import Database

db = Database()


class Model(DeclarativeBase):
    """The tables."""


tagged = Table(
    "tagged",
    Model.metadata,
    Column("note_id", ForeignKey("note.id"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True),
)


class Note(Model):
    """A note."""

    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    text: Mapped[str]
    written: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC))
    tags: Mapped[list[Tag]] = relationship(secondary=tagged, back_populates="notes", order_by="Tag.name")

    def as_json(self) -> dict[str, Any]:
        """Return the representation of the JSON API."""
        return {"id": self.id, "title": self.title, "text": self.text, "tags": [tag.name for tag in self.tags]}


class Tag(Model):
    """A tag, which several notes may have."""

    __tablename__ = "tag"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    notes: Mapped[list[Note]] = relationship(secondary=tagged, back_populates="tags")


class Draft(Struct):
    """The input for a note. Invalid input is answered with the errors."""

    title: Annotated[str, Meta(min_length=1, max_length=80)]
    text: Annotated[str, Meta(max_length=2000)] = ""
    tags: list[Annotated[str, Meta(min_length=1, max_length=20, pattern=r"^[\w-]+$")]] = []


def find(words: str = "", tag: str = "") -> list[Note]:
    """Return the notes with these words and this tag, the newest first."""
    # The tags of all notes in one more query; without the option there would be one per note.
    query = select(Note).options(selectinload(Note.tags)).order_by(Note.id.desc())
    for word in words.split():
        query = query.where(
            or_(Note.title.icontains(word, autoescape=True), Note.text.icontains(word, autoescape=True))
        )
    if tag:
        query = query.where(Note.tags.any(Tag.name == tag))
    return list(db.session.scalars(query))


def get(number: int) -> Note:
    """Return a note.

    :raises NotFound: if there is no such note.
    """
    note = db.session.get(Note, number)
    if note is None:
        raise NotFound(f"There is no note {number}.")
    return note


def write(draft: Draft) -> Note:
    """Insert a note."""
    note = Note(title=draft.title, text=draft.text, tags=[tag_named(name) for name in dict.fromkeys(draft.tags)])
    db.session.add(note)
    db.session.flush()  # sets the id
    return note


def tag_named(name: str) -> Tag:
    """Return the tag with this name, a new one if there is none."""
    tag = db.session.scalars(select(Tag).where(Tag.name == name)).one_or_none()
    return tag or Tag(name=name)


def popular_tags() -> list[tuple[str, int]]:
    """Return the tags and the number of their notes, the most popular first."""
    count = func.count()
    query = select(Tag.name, count).join(Tag.notes).group_by(Tag.name).order_by(count.desc(), Tag.name)
    return [(name, number) for name, number in db.session.execute(query)]
