"""Streams of controllers that use the session of their request."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from atlas import Application, Request, Response, Route, StreamingResponse, TestClient, render
from atlas.sqlalchemy import Database
from tests.sqlalchemy.conftest import checked_out
from tests.sqlalchemy.shelves import Book, Shelf, names

Build = Callable[..., Application]
PAGE = "{% for n in range(rows) %}<p>{{ n }}</p>{% endfor %}{% for book in shelf.books %}[{{ book.title }}]{% endfor %}"


def fill(db: Database) -> None:
    db.session.add(Shelf(name="north", books=[Book(title="A"), Book(title="B")]))


@pytest.mark.parametrize("rows", [0, 5, 200])
def test_a_relationship_is_loaded_in_a_streamed_template(
    db: Database, application: Build, tmp_path: Path, rows: int
) -> None:
    (tmp_path / "page.html").write_text(PAGE)

    def page(request: Request) -> Response:
        return render(request, "page.html", {"rows": rows, "shelf": db.session.get(Shelf, 1)}, stream=True)

    app = application(db, Route("/", page))
    app.templates.environment.loader.searchpath.append(str(tmp_path))  # type: ignore[union-attr]
    with TestClient(app) as client:
        db.run(fill, db)
        assert client.get("/").text.endswith("[A][B]")
        assert checked_out(db) == 0


def test_a_relationship_is_loaded_in_a_generator(db: Database, application: Build) -> None:
    """There is no connection while the client reads."""
    seen: list[Any] = []

    def page(request: Request) -> Response:
        shelf = db.session.get(Shelf, 1)
        assert shelf is not None

        def chunks() -> Iterator[str]:
            seen.append(checked_out(db))
            yield shelf.name
            seen.append(checked_out(db))
            yield from [book.title for book in shelf.books]
            seen.append(checked_out(db))

        return StreamingResponse(chunks())

    with TestClient(application(db, Route("/", page))) as client:
        db.run(fill, db)
        assert client.get("/").text == "northAB"
        assert seen == [0, 0, 0]


@pytest.mark.parametrize(("status", "expected"), [(200, ["south"]), (404, [])])
def test_the_session_is_committed_before_the_first_chunk(
    db: Database, application: Build, status: int, expected: list[str]
) -> None:
    seen: list[Any] = []

    def page(request: Request) -> Response:
        db.session.add(Shelf(name="south"))
        db.session.flush()

        async def chunks() -> AsyncIterator[str]:
            async with db.begin() as session:
                seen.extend(await session.scalars(select(Shelf.name)))
            yield "x"

        return StreamingResponse(chunks(), status)

    with TestClient(application(db, Route("/", page))) as client:
        client.get("/")
        assert seen == expected
        assert names(db) == expected


def test_a_commit_that_fails_is_an_error_page(db: Database, application: Build) -> None:
    begun: list[bool] = []

    def page(request: Request) -> Response:
        def refuse(session: Any) -> None:
            raise LookupError

        event.listen(db.session, "before_commit", refuse)
        db.session.add(Shelf(name="south"))

        def chunks() -> Iterator[str]:
            begun.append(True)
            yield "x"

        return StreamingResponse(chunks())

    with TestClient(application(db, Route("/", page)), raise_server_exceptions=False) as client:
        assert client.get("/").status_code == 500
        assert (begun, names(db), checked_out(db)) == ([], [], 0)


def test_a_stream_in_a_test_that_is_rolled_back(db: Database, application: Build) -> None:
    def page(request: Request) -> Response:
        db.session.add(Shelf(name=request.query["name"]))

        def chunks() -> Iterator[str]:
            with db.begin() as session:
                yield ",".join(session.scalars(select(Shelf.name).order_by(Shelf.name)))

        return StreamingResponse(chunks())

    with TestClient(application(db, Route("/", page))) as client, db.rolled_back():
        assert client.get("/?name=north").text == "north"
        assert client.get("/?name=south").text == "north,south"
