"""Fifty plain controllers wait for the database at the same time, and the event loop goes on.

Each of them is held inside of the driver, in the driver's own thread, until all are there and the loop was seen to
work. If one of them held the loop, the others would never come, and the test would end at its patience.
"""

import asyncio
import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import select, text

from atlas import Application, AsyncRequest, AsyncTestClient, Request, Route, Server, Settings
from atlas.sqlalchemy import Database
from tests.sqlalchemy.conftest import PATIENCE, Gate, Make, checked_out
from tests.sqlalchemy.shelves import Book, Shelf

Build = Callable[..., Application]
AT_ONCE = 50


class Ticks:
    """Counts the turns of a loop."""

    def __init__(self) -> None:
        self.number = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to count on the running loop."""
        self._task = asyncio.create_task(self._count())

    async def stop(self) -> None:
        """The end of it."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _count(self) -> None:
        while True:
            await asyncio.sleep(0.001)
            self.number += 1


@pytest.fixture
def db(make_database: Make) -> Database:
    return make_database(pool_size=AT_ONCE, connect_args={"timeout": PATIENCE})


@pytest.fixture
def app(db: Database, application: Build) -> Application:
    def wait(request: Request, number: int) -> str:
        assert db.session.scalar(text("SELECT gate()")) == 1
        book = db.session.scalars(select(Book).where(Book.title == f"book {number}")).one()
        return f"{book.title} on {book.shelf.name}"  # loaded when it is asked for

    async def look(request: AsyncRequest) -> str:
        return f"{checked_out(db)} are out"

    app = application(db, Route("/wait/{number:int}", wait), Route("/look", look))

    @app.on_startup
    async def begin() -> None:
        async with db.begin() as session:
            shelf = Shelf(name="north")
            session.add_all([Book(title=f"book {number}", shelf=shelf) for number in range(AT_ONCE)])

    return app


def test_without_a_server(db: Database, app: Application, gate: Gate) -> None:
    async def main() -> list[str]:
        ticks = Ticks()
        ticks.start()
        async with AsyncTestClient(app) as client, asyncio.TaskGroup() as group:
            asking = [group.create_task(client.get(f"/wait/{number}")) for number in range(AT_ONCE)]
            await asyncio.to_thread(gate.wait_until_inside, AT_ONCE)
            seen = ticks.number
            while ticks.number < seen + 5:
                await asyncio.sleep(0)
            assert (await client.get("/look")).text == f"{AT_ONCE} are out"
            assert not any(task.done() for task in asking)
            gate.open()
            answers = [(await task).text for task in asking]
            assert checked_out(db) == 0
        await ticks.stop()
        return answers

    assert asyncio.run(main()) == [f"book {number} on north" for number in range(AT_ONCE)]


def test_on_a_server(db: Database, app: Application, gate: Gate) -> None:
    """The same through sockets: fifty clients wait, and one more is answered at once."""
    ticks = Ticks()
    app.on_startup(ticks.start)
    app.on_shutdown(ticks.stop)
    server = Server(app, Settings(port=0, access_log=False))
    with server.run_in_thread():
        address = server.sockets[0].getsockname()[:2]
        with connections(address, AT_ONCE) as clients, connections(address, 1) as [another]:
            for number, client in enumerate(clients):
                client.request("GET", f"/wait/{number}")
            gate.wait_until_inside(AT_ONCE)
            seen = ticks.number
            while ticks.number < seen + 5:
                assert answer_to(another, "/look") == f"{AT_ONCE} are out"
            gate.open()
            answers = [client.getresponse().read().decode() for client in clients]
            assert answer_to(another, "/look") == "0 are out"
    assert answers == [f"book {number} on north" for number in range(AT_ONCE)]


def test_more_than_the_pool_has(make_database: Make, application: Build, gate: Gate) -> None:
    """Requests that wait for a connection of the pool do not block the loop."""
    db = make_database(pool_size=3, max_overflow=2)

    def wait(request: Request) -> str:
        return str(db.session.scalar(text("SELECT gate()")))

    def quick(request: Request) -> str:
        return str(checked_out(db))

    async def main() -> None:
        app = application(db, Route("/wait", wait), Route("/quick", quick))
        async with AsyncTestClient(app) as client, asyncio.TaskGroup() as group:
            asking = [group.create_task(client.get("/wait")) for _ in range(AT_ONCE)]
            await asyncio.to_thread(gate.wait_until_inside, 5)
            assert (await client.get("/quick")).text == "5"
            gate.open()
            assert [(await task).text for task in asking] == ["1"] * AT_ONCE
            assert gate.inside == AT_ONCE
            assert checked_out(db) == 0

    asyncio.run(main())


def test_many_that_write(db: Database, application: Build) -> None:
    """SQLite lets one of them write at a time; the others wait in the driver, and none is lost."""

    def add(request: Request, number: int) -> str:
        db.session.add(Shelf(name=f"shelf {number}"))
        return "yes"

    async def main() -> int:
        async with AsyncTestClient(application(db, Route("/{number:int}", add, ["POST"]))) as client:
            async with asyncio.TaskGroup() as group:
                asking = [group.create_task(client.post(f"/{number}")) for number in range(12)]
            assert {task.result().text for task in asking} == {"yes"}
            async with db.begin() as session:
                return len((await session.scalars(select(Shelf))).all())

    assert asyncio.run(main()) == 12


@contextmanager
def connections(address: tuple[str, int], number: int) -> Iterator[list[http.client.HTTPConnection]]:
    made = [http.client.HTTPConnection(*address, timeout=PATIENCE) for _ in range(number)]
    try:
        yield made
    finally:
        for each in made:
            each.close()


def answer_to(connection: http.client.HTTPConnection, path: str) -> str:
    connection.request("GET", path)
    return connection.getresponse().read().decode()
