"""The database of an application, asked without sockets: what its controllers see, and what stays in it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from atlas import Application, AsyncRequest, Request, Route, StartupError, TestClient, await_, in_thread
from atlas.sqlalchemy import Database
from tests.sqlalchemy.conftest import Make, checked_out
from tests.sqlalchemy.shelves import Book, Shelf, Table, names

Build = Callable[..., Application]


# ------------------------------------------------------------------------------------------------ in controllers


def test_lazy_loading_in_plain_code(db: Database, application: Build) -> None:
    def fill(request: Request) -> None:
        db.session.add(Shelf(name="north", books=[Book(title="b"), Book(title="a")]))

    def show(request: Request) -> Any:
        book = db.session.scalars(select(Book).where(Book.title == "b")).one()
        assert "shelf" not in vars(book)
        return [book.shelf.name, [each.title for each in book.shelf.books]]

    app = application(db, Route("/", fill, ["POST"]), Route("/", show))
    with TestClient(app) as client:
        assert client.post("/").status_code == 204
        assert client.get("/").json() == ["north", ["a", "b"]]
        assert checked_out(db) == 0


def test_an_async_controller_has_the_async_session(db: Database, application: Build) -> None:
    async def fill(request: AsyncRequest) -> dict[str, int]:
        assert type(db.async_session) is AsyncSession
        db.async_session.add(Shelf(name="north"))
        await db.async_session.flush()
        return {"id": (await db.async_session.scalars(select(Shelf.id))).one()}

    with TestClient(application(db, Route("/", fill))) as client:
        assert client.get("/").json() == {"id": 1}
        assert names(db) == ["north"]


def test_a_request_has_one_session(db: Database, application: Build) -> None:
    """In middleware, plain code and coroutines of one request; and no other request has it."""
    seen: list[Session] = []

    async def around(request: AsyncRequest, call_next: Any) -> Any:
        seen.append(db.async_session.sync_session)
        return await call_next(request)

    def controller(request: Request) -> str:
        seen.extend([db.session, db.async_session.sync_session])
        return "yes"

    with TestClient(application(db, Route("/", controller), middleware=[db, around, db])) as client:
        client.get("/")
        client.get("/")
    assert type(seen[0]) is Session
    assert len(seen) == 6
    assert len({id(each) for each in seen}) == 2


def test_who_does_not_ask_costs_nothing(db: Database, application: Build) -> None:
    with TestClient(application(db, Route("/", lambda request: "yes"))) as client:

        @db.listens_for("checkout")
        def refuse(*_: Any) -> None:
            raise AssertionError("a connection was taken")

        assert client.get("/").text == "yes"


# ---------------------------------------------------------------------------------------- where there is no session


def test_outside_of_a_request(db: Database) -> None:
    for ask in (lambda: db.session, lambda: db.async_session, db.discard):
        with pytest.raises(
            RuntimeError, match=r"this code runs outside of a request, or this database is not a middleware"
        ):
            ask()


def test_without_the_middleware(db: Database, application: Build) -> None:
    app = application(db, Route("/", lambda request: db.session.get(Shelf, 1)), middleware=[])
    db.bind(app)
    with TestClient(app) as client, pytest.raises(RuntimeError, match="not a middleware of its route"):
        client.get("/")


def test_two_databases_are_two(db: Database, make_database: Make, tmp_path: Path, application: Build) -> None:
    other = make_database(f"sqlite+aiosqlite:///{tmp_path / 'other.db'}")

    def controller(request: Request) -> str:
        other.session.execute(text("CREATE TABLE here (id INTEGER)"))
        db.session.add(Shelf(name="north"))
        return "yes"

    with TestClient(application(db, Route("/", controller), middleware=[db, other])) as client:
        client.get("/")
        assert names(db) == ["north"]
        assert other.run(lambda: other.session.execute(text("SELECT * FROM here")).all()) == []


@pytest.mark.parametrize("run", ["inline", "thread"])
def test_plain_code_that_cannot_wait(db: Database, application: Build, run: str) -> None:
    def controller(request: Request) -> Any:
        return db.session.get(Shelf, 1)

    def other(request: Request) -> Any:
        with db.begin() as session:
            return session.get(Shelf, 1)

    with TestClient(application(db, Route("/", controller, run=run), Route("/other", other, run=run))) as client:
        for path in ("/", "/other"):
            with pytest.raises(
                RuntimeError, match=r"set run='greenlet' on the route; in 'async def' use db.async_session"
            ):
                client.get(path)


def test_a_controller_in_a_thread_may_run_a_part_of_it_elsewhere(db: Database, application: Build) -> None:
    def controller(request: Request) -> str:
        assert threading.current_thread() is not main
        return db.run(count)

    def count() -> str:
        assert threading.current_thread() is main
        return str(len(db.session.scalars(select(Shelf)).all()))

    main = threading.current_thread()
    with TestClient(application(db, Route("/", controller, run="thread"))) as client:
        assert client.get("/").text == "0"


def test_the_plain_session_is_not_for_coroutines(db: Database, application: Build) -> None:
    async def controller(request: AsyncRequest) -> Any:
        return db.session

    async def other(request: AsyncRequest) -> Any:
        return db.run(lambda: None)

    with TestClient(application(db, Route("/", controller), Route("/other", other))) as client:
        with pytest.raises(RuntimeError, match="in 'async def' use db.async_session"):
            client.get("/")
        with pytest.raises(RuntimeError, match="db.run.* cannot wait in 'async def'"):
            client.get("/other")


# ------------------------------------------------------------------------------------- begin(), run() and the engine


def test_a_session_of_its_own(db: Database, application: Build) -> None:
    def controller(request: Request) -> tuple[str, int]:
        with db.begin() as session:
            assert session is not db.session
            session.add(Shelf(name="kept"))
        db.session.add(Shelf(name="lost"))
        with pytest.raises(ZeroDivisionError), db.begin() as session:
            session.add(Shelf(name="lost too"))
            session.flush()
            _ = 1 / 0
        return "no", 400

    async def other(request: AsyncRequest) -> None:
        async with db.begin() as session:
            session.add(Shelf(name="async"))

    with TestClient(application(db, Route("/", controller), Route("/other", other))) as client:
        client.get("/")
        client.get("/other")
        assert names(db) == ["async", "kept"]
        assert checked_out(db) == 0


def test_run_has_a_session_and_ends_it(db: Database) -> None:
    def fill(name: str, *, fail: bool = False) -> int:
        db.session.add(Shelf(name=name))
        db.session.flush()
        if fail:
            raise LookupError(name)
        return len(name)

    def tables() -> None:
        await_(db.create_all(Table.metadata))

    db.run(tables)
    assert db.run(fill, "north") == 5
    with pytest.raises(LookupError, match="south"):
        db.run(fill, "south", fail=True)
    assert names(db) == ["north"]
    with pytest.raises(RuntimeError, match="outside of a request"):
        _ = db.session


def test_run_in_the_loop_of_the_application(db: Database, application: Build) -> None:
    """From a thread beside it, from its own controller, and from a test in between."""

    def fill(name: str) -> threading.Thread:
        db.session.add(Shelf(name=name))
        return threading.current_thread()

    async def from_a_thread(request: AsyncRequest) -> None:
        for name, call in (("thread", in_thread), ("foreign thread", asyncio.to_thread)):
            assert await call(db.run, fill, name) is threading.current_thread()

    def from_a_controller(request: Request) -> tuple[str, int]:
        assert db.run(fill, "controller") is threading.current_thread()
        return "only this request has failed", 400

    app = application(db, Route("/thread", from_a_thread), Route("/controller", from_a_controller))
    with TestClient(app) as client:
        client.get("/thread")
        client.get("/controller")
        assert db.run(fill, "test") is threading.current_thread()
        assert names(db) == ["controller", "foreign thread", "test", "thread"]
        assert checked_out(db) == 0


def test_listeners_of_engines_that_are_there_and_of_those_to_come(db: Database, application: Build) -> None:
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    db.run(lambda: None)  # an engine that is gone by now
    with TestClient(application(db, Route("/", lambda request: str(db.session.scalar(text("SELECT 5")))))) as client:
        assert db.listens_for("before_cursor_execute")(note) is note
        assert client.get("/").text == "5"
    assert statements == ["SELECT 5"]
    assert db.run(lambda: db.session.scalar(text("SELECT 6"))) == 6
    assert statements == ["SELECT 5", "SELECT 6"]


def test_options_of_sessions(make_database: Make) -> None:
    class Own(Session):
        pass

    db = make_database(session_options={"sync_session_class": Own, "autoflush": False}, pool_size=7)

    def look() -> None:
        assert type(db.session) is Own
        assert not db.session.autoflush
        assert db.engine.pool.size() == 7  # type: ignore[attr-defined]

    db.run(look)


def test_the_engine_belongs_to_a_loop(db: Database) -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        _ = db.engine
    engines = [db.run(lambda: db.engine) for _ in range(2)]
    assert engines[0] is not engines[1]


# ------------------------------------------------------------------------------------------- where the database is


def test_the_url_of_the_configuration(tmp_path: Path, make_database: Make) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'configured.db'}"
    db = Database()

    def controller(request: Request) -> str:
        return str(db.engine.url)

    app = Application([Route("/", controller, run="greenlet")], middleware=[db], config={"database_url": url})
    with TestClient(app) as client:
        assert client.get("/").text == url


def test_the_url_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATLAS_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path / 'environment.db'}")
    db = Database()
    assert db.run(lambda: db.session.scalar(text("SELECT 1"))) == 1
    assert (tmp_path / "environment.db").exists()


@pytest.mark.parametrize("on_route", [False, True])
def test_a_script_has_the_url_of_the_configuration(tmp_path: Path, on_route: bool) -> None:
    db = Database()
    config = {"database_url": f"sqlite+aiosqlite:///{tmp_path / 'script.db'}"}
    route = Route("/", lambda request: "x", middleware=[db] if on_route else [])
    Application([route], middleware=[] if on_route else [db], config=config)
    assert db.run(lambda: db.session.scalar(text("SELECT 1"))) == 1
    assert (tmp_path / "script.db").exists()


def test_its_own_url_wins(db: Database) -> None:
    db.bind(Application(config={"database_url": "sqlite+aiosqlite:///other.db"}))
    assert db.run(lambda: db.engine.url.database or "").endswith("shelves.db")


def test_no_url_stops_the_start() -> None:
    app = Application([Route("/", lambda request: "yes")], middleware=[Database()])
    with pytest.raises(StartupError, match=r"no URL: write Database\('sqlite\+aiosqlite:///app.db'\), or set"):
        TestClient(app).get("/")


def test_a_driver_that_blocks_stops_the_start() -> None:
    with pytest.raises(StartupError, match="Database: the driver of 'sqlite:///app.db' would block"):
        Database("sqlite:///app.db")
    with pytest.raises(StartupError, match="config: database_url: the driver of 'postgresql"):
        Application(middleware=[Database()], config={"database_url": "postgresql+psycopg2://db.test/app"})


def test_a_driver_that_is_not_installed() -> None:
    db = Database("mysql+asyncmy://db.test/app")
    with pytest.raises(StartupError, match=r"Database: mysql\+asyncmy needs a driver: pip install asyncmy"):
        db.run(lambda: db.session.scalar(text("SELECT 1")))


# ---------------------------------------------------------------------------------------------------- its lifespan


def test_it_is_there_before_and_after_everything_else(db: Database, application: Build) -> None:
    told: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Application) -> AsyncIterator[dict[str, Any]]:
        await db.create_all(Table.metadata)
        yield {"shelf": "north"}
        async with db.begin() as session:
            told.extend(await session.scalars(select(Shelf.name)))

    def controller(request: Request) -> str:
        db.session.add(Shelf(name=request.state.shelf))
        return "yes"

    app = application(db, Route("/", controller), lifespan=lifespan)

    @app.on_shutdown
    async def last() -> None:
        async with db.begin() as session:
            session.add(Shelf(name="south"))

    for _ in range(2):  # and again
        with TestClient(app) as client:
            client.get("/")
        assert sorted(told) == ["north", "south"]
        told.clear()
        with TestClient(app) as client:
            db.run(lambda: db.session.execute(Shelf.__table__.delete()))
        assert told == ["south"]
        told.clear()
        db.run(lambda: db.session.execute(Shelf.__table__.delete()))


def test_a_start_that_fails_leaves_nothing(db: Database, application: Build) -> None:
    app = application(db)

    @app.on_startup
    async def fail() -> None:
        raise LookupError("not today")

    with pytest.raises(Exception, match="not today"):
        TestClient(app).get("/")
    assert db._engines.all() == []


def test_without_a_lifespan_it_is_there_too(db: Database) -> None:
    """Under servers that have none; then ``async with db`` is the end."""

    def controller(request: Request) -> str:
        return str(db.session.scalar(text("SELECT 1")))

    async def main() -> str:
        app = Application([Route("/", controller, run="greenlet")], middleware=[db])
        async with db, httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a.test") as client:
            return (await client.get("/")).text

    assert asyncio.run(main()) == "1"
