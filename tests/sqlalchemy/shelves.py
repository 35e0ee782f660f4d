"""The models of these tests: shelves and books."""

from __future__ import annotations

from sqlalchemy import ForeignKey, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from atlas.sqlalchemy import Database


class Table(DeclarativeBase):
    """The tables."""


class Shelf(Table):
    """A shelf."""

    __tablename__ = "shelf"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    books: Mapped[list[Book]] = relationship(back_populates="shelf", order_by="Book.title")


class Book(Table):
    """A book, which stands on a shelf."""

    __tablename__ = "book"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelf.id"))
    shelf: Mapped[Shelf] = relationship(back_populates="books")


def names(db: Database) -> list[str]:
    """The shelves that are there, read on a connection of its own, from a test that no loop is running in."""
    return db.run(lambda: list(db.session.scalars(select(Shelf.name).order_by(Shelf.name))))


async def count(db: Database) -> int:
    """How many shelves there are."""
    async with db.begin() as session:
        return await session.scalar(select(func.count()).select_from(Shelf)) or 0
