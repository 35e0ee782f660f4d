"""Real SQLite files, reached through aiosqlite, and a gate that holds queries back."""

from __future__ import annotations

import gc
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from atlas import Application
from atlas.sqlalchemy import Database
from tests.sqlalchemy.shelves import Table

PATIENCE = 30.0


class Gate:
    """Holds queries back inside of the driver, each in the driver's own thread: ``SELECT gate()`` waits there."""

    def __init__(self) -> None:
        self.inside = 0
        self._open = False
        self._news = threading.Condition()

    def wait(self) -> int:
        """What the SQL function does."""
        with self._news:
            self.inside += 1
            self._news.notify_all()
            assert self._news.wait_for(lambda: self._open, PATIENCE)
        return 1

    def wait_until_inside(self, number: int) -> None:
        """Block until so many queries wait."""
        with self._news:
            assert self._news.wait_for(lambda: self.inside >= number, PATIENCE), f"{self.inside} are inside"

    def open(self) -> None:
        """Let all of them go on."""
        with self._news:
            self._open = True
            self._news.notify_all()


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open()


Make = Callable[..., Database]


@pytest.fixture
def make_database(tmp_path: Path, gate: Gate) -> Iterator[Make]:
    """``make_database(**engine_options)``; in the end no warning was given and every connection is closed."""
    connections: list[Any] = []

    def make(url: str | None = None, **options: Any) -> Database:
        db = Database(url or f"sqlite+aiosqlite:///{tmp_path / 'shelves.db'}", **options)

        @db.listens_for("connect")
        def connected(connection: Any, record: Any) -> None:
            connections.append(connection._connection)
            connection.create_function("gate", 0, gate.wait)

        return db

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield make
        gc.collect()
    for each in connections:
        getattr(each, "_thread", each).join(PATIENCE)  # a connection is a thread, or has one (aiosqlite 0.22)
    assert [each for each in connections if each._connection is not None] == []


@pytest.fixture
def db(make_database: Make) -> Database:
    return make_database()


@pytest.fixture
def application() -> Callable[..., Application]:
    """``application(db, *routes, **options)``: one whose tables are made when it starts."""

    def make(db: Database, *routes: Any, **options: Any) -> Application:
        middleware = options.pop("middleware", [db])
        app = Application(routes, middleware=middleware, **options)
        app.on_startup(lambda: db.create_all(Table.metadata))
        return app

    return make


def checked_out(db: Database) -> int:
    """The connections in use, on every loop."""
    return sum(engine.pool.checkedout() for engine in db._engines.all())  # type: ignore[attr-defined]
