"""A test in which nothing is committed."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from atlas import Application, AsyncRequest, AsyncTestClient, Request, Route, Server, Settings, TestClient, await_
from atlas.sqlalchemy import Database
from tests.sqlalchemy.conftest import checked_out
from tests.sqlalchemy.shelves import Shelf, Table, count, names

Build = Callable[..., Application]


@pytest.fixture
def app(db: Database, application: Build) -> Application:
    """POST adds a shelf. The tables are there before the test is."""

    def add(request: Request, name: str) -> Any:
        db.session.add(Shelf(name=name))
        if name == "bad":
            db.session.flush()
            return name, 400
        if name == "inside":
            with db.begin() as session:
                session.add(Shelf(name="inner"))
        return name

    db.run(lambda: await_(db.create_all(Table.metadata)))
    return application(db, Route("/{name}", add, ["POST"]))


def test_what_one_request_commits_the_next_one_sees(db: Database, app: Application) -> None:
    with TestClient(app) as client:
        with db.rolled_back():
            for name in ("north", "bad", "south"):
                client.post(f"/{name}")
            assert names(db) == ["north", "south"]
            assert checked_out(db) == 1
        assert names(db) == []
        assert checked_out(db) == 0
        client.post("/west")
        assert names(db) == ["west"]


def test_the_client_may_come_and_go_inside(db: Database, app: Application) -> None:
    for _ in range(2):
        with db.rolled_back(), TestClient(app) as client:
            client.post("/north")
            assert names(db) == ["north"]
    assert names(db) == []


def test_sessions_inside_of_each_other(db: Database, app: Application) -> None:
    with TestClient(app) as client:
        with db.rolled_back():
            client.post("/inside")
            assert names(db) == ["inner", "inside"]
        assert names(db) == []


def test_a_test_that_puts_something_there(db: Database, app: Application) -> None:
    with TestClient(app) as client, db.rolled_back():
        db.run(lambda: db.session.add(Shelf(name="north")))
        client.post("/south")
        assert names(db) == ["north", "south"]


def test_in_a_coroutine(db: Database, app: Application) -> None:
    async def main() -> None:
        async with AsyncTestClient(app) as client:
            async with db.rolled_back():
                async with asyncio.TaskGroup() as group:  # they take turns
                    for number in range(10):
                        group.create_task(client.post(f"/{number}"))
                    group.create_task(client.post("/bad"))
                assert await count(db) == 10
            assert await count(db) == 0
            assert checked_out(db) == 0

    asyncio.run(main())


def test_on_a_server_in_another_thread(db: Database, app: Application) -> None:
    server = Server(app, Settings(port=0, access_log=False))
    with server.run_in_thread():
        url = "http://{}:{}".format(*server.sockets[0].getsockname()[:2])
        with db.rolled_back():
            assert httpx.post(f"{url}/north").text == "north"
            assert names(db) == ["north"]
        assert names(db) == []
        assert checked_out(db) == 0


def test_in_a_coroutine_with_a_server_in_another_thread(db: Database, app: Application) -> None:
    async def main(url: str) -> None:
        async with db.rolled_back(), httpx.AsyncClient() as client:
            assert (await client.post(f"{url}/north")).text == "north"

    server = Server(app, Settings(port=0, access_log=False))
    with server.run_in_thread():
        asyncio.run(main("http://{}:{}".format(*server.sockets[0].getsockname()[:2])))
        assert names(db) == []


def test_what_is_refused(db: Database, app: Application) -> None:
    async def plainly() -> None:
        with db.rolled_back():
            pass

    with pytest.raises(RuntimeError, match="'async with'"):
        asyncio.run(plainly())
    with db.rolled_back():
        with pytest.raises(RuntimeError, match=r"in rolled_back\(\) already"), db.rolled_back():
            pass
        with pytest.raises(RuntimeError, match="start the application first"):
            names(db)
    assert names(db) == []


def test_a_request_that_outlives_the_test(db: Database, application: Build) -> None:
    """It waited for its turn, and there is nothing left to take a turn in."""
    app = application(db)

    async def main() -> None:
        async with AsyncTestClient(app), db.rolled_back():
            here = db._engines.current()
            transaction = here.transaction
            assert transaction is not None
            await transaction.close()
            with pytest.raises(RuntimeError, match="has ended, and its transaction is closed"):
                await count(db)
            here.transaction = None

    asyncio.run(main())


def test_one_that_was_there_before_the_test(db: Database, application: Build) -> None:
    """It goes on as it began."""
    began, goes_on = asyncio.Event(), asyncio.Event()

    async def controller(request: AsyncRequest) -> str:
        began.set()
        await goes_on.wait()
        db.async_session.add(Shelf(name="kept"))
        return "yes"

    async def main() -> None:
        async with AsyncTestClient(application(db, Route("/", controller))) as client:
            asking = asyncio.create_task(client.get("/"))
            await began.wait()
            async with db.rolled_back():
                goes_on.set()
                assert (await asking).text == "yes"
            assert await count(db) == 1

    asyncio.run(main())
