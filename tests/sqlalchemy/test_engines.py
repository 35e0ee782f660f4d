import asyncio
import threading
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from atlas.sqlalchemy import Database
from atlas.sqlalchemy.engines import Engines
from tests.sqlalchemy.conftest import checked_out


class Counted:
    """Stands for an engine; counts how often it is disposed of."""

    def __init__(self) -> None:
        self.disposed = 0

    async def dispose(self) -> None:
        self.disposed += 1


@pytest.fixture
def engines() -> Engines:
    return Engines(Counted, {})  # type: ignore[arg-type]


def test_one_for_each_loop(engines: Engines) -> None:
    async def main() -> list[Any]:
        return [engines.current(), engines.current()]

    first, again = asyncio.run(main())
    second, _ = asyncio.run(main())
    assert first is again
    assert first is not second
    assert engines.all() == [second.engine]  # those of closed loops are forgotten


def test_the_last_to_leave_disposes_of_it(engines: Engines) -> None:
    async def main() -> None:
        engines.acquire()
        engines.acquire()
        made: Any = engines.current().engine
        await engines.release()
        assert made.disposed == 0
        await engines.release()
        assert made.disposed == 1
        assert engines.all() == []
        await engines.release()  # nothing is there

    asyncio.run(main())


def test_the_newest_loop(engines: Engines) -> None:
    async def nothing() -> None:
        engines.current()

    assert engines.newest_loop() is None
    with asyncio.Runner() as older:
        older.run(nothing())
        with asyncio.Runner() as newer:
            newer.run(nothing())
            assert engines.newest_loop() is newer.get_loop()
        assert engines.newest_loop() is older.get_loop()
    assert engines.newest_loop() is None


def test_two_loops_at_the_same_time(db: Database) -> None:
    """A connection belongs to the loop that opened it; two of them share nothing but the file."""
    meet = threading.Barrier(2, timeout=30)
    engines: list[AsyncEngine] = []

    async def main() -> None:
        async with db:
            engines.append(db.engine)
            async with db.begin() as session:
                await session.connection()
                meet.wait()  # holding the loop is what is wanted here: each has its connection now
                assert checked_out(db) == 2
                meet.wait()

    threads = [threading.Thread(target=asyncio.run, args=(main(),)) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert len(set(engines)) == 2
    assert db._engines.all() == []
