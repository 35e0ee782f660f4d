import asyncio

import pytest
from sqlalchemy import Engine, create_engine, select, text

from atlas.sqlalchemy import Database
from atlas.sqlalchemy.savepoints import repair_savepoints
from tests.sqlalchemy.shelves import Shelf, Table


@pytest.fixture
def engine() -> Engine:
    made = create_engine("sqlite://")
    repair_savepoints(made)
    with made.begin() as connection:
        Table.metadata.create_all(connection)
    return made


def count(engine: Engine) -> int:
    with engine.connect() as connection:
        return len(connection.execute(select(Shelf.id)).all())


def test_a_savepoint_that_comes_first_is_not_the_transaction(engine: Engine) -> None:
    with engine.connect() as connection:
        with connection.begin_nested():
            connection.execute(Shelf.__table__.insert().values(name="north"))
        connection.rollback()
    assert count(engine) == 0


def test_without_the_repair_it_is() -> None:
    """What is repaired, so that the day is noticed on which there is nothing to repair."""
    plain = create_engine("sqlite://")
    Table.metadata.create_all(plain)
    with plain.connect() as connection:
        with connection.begin_nested():
            connection.execute(Shelf.__table__.insert().values(name="north"))
        connection.rollback()
    assert count(plain) == 1


def test_the_second_savepoint_begins_nothing(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(Shelf.__table__.insert().values(name="north"))
        with connection.begin_nested() as outer:
            with connection.begin_nested():
                connection.execute(Shelf.__table__.insert().values(name="south"))
            outer.rollback()
        connection.commit()
    assert count(engine) == 1


def test_reading_takes_no_lock_that_lasts(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        assert not connection.connection.driver_connection.in_transaction  # type: ignore[union-attr]


def test_nested_in_a_session(db: Database) -> None:
    async def main() -> list[str]:
        async with db:
            await db.create_all(Table.metadata)
            async with db.begin() as session:
                async with session.begin_nested():
                    session.add(Shelf(name="north"))
                with pytest.raises(RuntimeError, match="no"):
                    async with session.begin_nested():
                        session.add(Shelf(name="south"))
                        await session.flush()
                        raise RuntimeError("no")
            async with db.begin() as session:
                return list(await session.scalars(select(Shelf.name)))

    assert asyncio.run(main()) == ["north"]
