"""How the session of a request ends, in every way that a request can end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import IntegrityError, InvalidRequestError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import DetachedInstanceError

from atlas import (
    Application,
    AsyncRequest,
    AsyncTestClient,
    Conflict,
    HTTPException,
    Request,
    Response,
    Route,
    StreamingResponse,
    TestClient,
    redirect,
)
from atlas.sqlalchemy import Database
from tests.sqlalchemy.conftest import Gate, checked_out
from tests.sqlalchemy.shelves import Shelf, count, names

Build = Callable[..., Application]


def add(db: Database) -> None:
    db.session.add(Shelf(name="north"))
    db.session.flush()


def raising(error: Exception) -> Any:
    raise error


@pytest.mark.parametrize("result", ["yes", None, ("made", 201), redirect("/"), Response(b"", 304)])
def test_a_good_response_commits(db: Database, application: Build, result: Any) -> None:
    def controller(request: Request) -> Any | None:
        add(db)
        return result

    with TestClient(application(db, Route("/", controller, ["POST"]))) as client:
        client.post("/")
        assert names(db) == ["north"]
        assert checked_out(db) == 0


@pytest.mark.parametrize(
    "end",
    [
        lambda: ("no", 400),
        lambda: ("no", 500),
        lambda: Response(b"", 404),
        lambda: raising(HTTPException(409)),
        lambda: raising(LookupError("north")),
    ],
)
def test_a_bad_one_rolls_back(db: Database, application: Build, end: Callable[[], Any]) -> None:
    def controller(request: Request) -> Any:
        add(db)
        return end()

    with TestClient(application(db, Route("/", controller)), raise_server_exceptions=False) as client:
        assert client.get("/").status_code >= 400
        assert names(db) == []
        assert checked_out(db) == 0


@pytest.mark.parametrize("end", [lambda: {"name": "north"}, lambda: ("no", 400), lambda: raising(LookupError())])
def test_the_same_in_coroutines(db: Database, application: Build, end: Callable[[], Any]) -> None:
    async def controller(request: AsyncRequest) -> Any:
        db.async_session.add(Shelf(name="north"))
        await db.async_session.flush()
        return end()

    with TestClient(application(db, Route("/", controller)), raise_server_exceptions=False) as client:
        good = client.get("/").status_code < 400
        assert names(db) == ["north"] * good
        assert checked_out(db) == 0


def test_discard_rolls_back_a_good_one(db: Database, application: Build) -> None:
    """Say, in the handler of an exception that has a good answer."""

    def controller(request: Request) -> Any:
        add(db)
        raise LookupError

    def sorry(request: Request, error: LookupError) -> str:
        db.discard()
        return "there was nothing to do"

    app = application(db, Route("/", controller), exception_handlers={LookupError: sorry})
    with TestClient(app) as client:
        assert client.get("/").status_code == 200
        assert names(db) == []


def test_what_was_committed_before_stays(db: Database, application: Build) -> None:
    def controller(request: Request) -> Any:
        add(db)
        db.session.commit()
        db.session.add(Shelf(name="south"))
        raise HTTPException(409)

    with TestClient(application(db, Route("/", controller))) as client:
        assert client.get("/").status_code == 409
        assert names(db) == ["north"]


# --------------------------------------------------------------------------------------------- a commit that fails


def test_a_commit_that_fails_is_an_error_page(db: Database, application: Build) -> None:
    def controller(request: Request) -> str:
        db.session.add(Shelf(name="north"))
        return "made"

    app = application(db, Route("/", controller, ["POST"]))
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.post("/").text == "made"
        assert client.post("/").status_code == 500
        assert names(db) == ["north"]
        assert checked_out(db) == 0


def test_and_its_exception_may_have_a_handler(db: Database, application: Build) -> None:
    def controller(request: Request) -> str:
        db.session.add(Shelf(name="north"))
        return "made"

    def taken(request: Request, error: IntegrityError) -> Any:
        return "that name is taken", 409

    app = application(db, Route("/", controller), exception_handlers={IntegrityError: taken})
    with TestClient(app) as client:
        assert [client.get("/").status_code for _ in range(3)] == [200, 409, 409]
        assert checked_out(db) == 0


def test_an_error_that_the_controller_handles(db: Database, application: Build) -> None:
    """A savepoint keeps what came before it."""

    def controller(request: Request) -> str:
        db.session.add(Shelf(name="south"))
        try:
            with db.session.begin_nested():
                db.session.add(Shelf(name="north"))
        except IntegrityError:
            return "it was there already"
        return "made"

    with TestClient(application(db, Route("/", controller))) as client:
        db.run(add, db)
        assert client.get("/").text == "it was there already"
        assert names(db) == ["north", "south"]


# --------------------------------------------------------------------------------------------- after the response


def test_a_session_cannot_be_used_after_its_scope(db: Database, application: Build) -> None:
    kept: list[Any] = []

    def controller(request: Request) -> str:
        shelf = db.session.scalars(select(Shelf)).one()
        kept[:] = [db.session, shelf]
        return "yes"

    def later() -> None:
        session, shelf = kept
        assert shelf.name == "north"  # what was there is still there
        with pytest.raises(InvalidRequestError, match="closed"):
            session.get(Shelf, 1)
        with pytest.raises(DetachedInstanceError):
            _ = shelf.books

    with TestClient(application(db, Route("/", controller))) as client:
        db.run(add, db)
        client.get("/")
        db.run(later)
        assert checked_out(db) == 0


def test_a_stream_runs_without_the_session(db: Database, application: Build) -> None:
    """It is committed before the first byte leaves; a stream that reads has a session of its own."""
    told: list[str] = []

    async def controller(request: AsyncRequest) -> Response:
        db.async_session.add_all([Shelf(name="north"), Shelf(name="south")])
        return StreamingResponse(pieces())

    async def pieces() -> AsyncIterator[str]:
        told.append(str(checked_out(db)))
        try:
            _ = db.async_session
        except RuntimeError as error:
            told.append(str(error))
        async with db.begin() as session:
            async for name in await session.stream_scalars(select(Shelf.name).order_by(Shelf.name)):
                yield name + ";"

    with TestClient(application(db, Route("/", controller))) as client:
        assert client.get("/").text == "north;south;"
        assert checked_out(db) == 0
    assert told[0] == "0"
    assert "outside of a request" in told[1]


def test_a_client_that_leaves_a_stream(db: Database, application: Build) -> None:
    async def controller(request: AsyncRequest) -> Response:
        return StreamingResponse(pieces())

    async def pieces() -> AsyncIterator[str]:
        async with db.begin() as session:
            session.add(Shelf(name="north"))
            await session.flush()
            while True:
                yield "on and on"

    with TestClient(application(db, Route("/", controller))) as client:
        with client.stream("GET", "/") as response:
            assert next(response.iter_bytes()) == b"on and on"
            assert checked_out(db) == 1
        assert checked_out(db) == 0
        assert names(db) == []


def test_background_work_has_a_session_of_its_own(db: Database, application: Build) -> None:
    told: list[str] = []

    def controller(request: Request) -> str:
        add(db)
        app.background(work)
        return "yes"

    async def work() -> None:
        async with db.begin() as session:
            session.add(Shelf(name="south"))
        told.append(str(await count(db)))

    async def over(request: AsyncRequest) -> str:
        asyncio.get_running_loop().call_soon(tell)
        return "yes"

    def tell() -> None:
        loop = asyncio.get_running_loop()
        try:
            _ = db.async_session.sync_session
        except RuntimeError as error:
            told.append(str(error))
        else:
            loop.call_soon(tell)  # the response is not there yet

    app = application(db, Route("/", controller), Route("/over", over))
    with TestClient(app) as client:
        client.get("/")
        assert told == ["2"]
        client.get("/over")
        client.get("/over")  # gives the loop the turns that it needs
    assert "the session of this request is closed" in told[1]


# ------------------------------------------------------------------------------------------------- cancellations


def cancelled_at(db: Database, gate: Gate, app: Application) -> int:
    """Cancel a request while its query is in the driver. How many shelves there are then comes back."""

    async def main() -> int:
        async with AsyncTestClient(app) as client:
            asking = asyncio.create_task(client.get("/"))
            await asyncio.to_thread(gate.wait_until_inside, 1)
            assert checked_out(db) == 1
            request = next(task for task in asyncio.all_tasks() if task.get_name() == "GET /")
            request.cancel()
            gate.open()
            with pytest.raises(BaseException):  # noqa: B017  # the client may tell it as it likes
                await asking
            await asyncio.wait({request})
            assert request.cancelled()
            assert checked_out(db) == 0
            return await count(db)

    return asyncio.run(main())


def test_a_cancelled_request_rolls_back(db: Database, gate: Gate, application: Build) -> None:
    def controller(request: Request) -> str:
        add(db)
        return str(db.session.scalar(text("SELECT gate()")))

    assert cancelled_at(db, gate, application(db, Route("/", controller))) == 0


def test_a_cancelled_coroutine_rolls_back(db: Database, gate: Gate, application: Build) -> None:
    async def controller(request: AsyncRequest) -> str:
        db.async_session.add(Shelf(name="north"))
        return str(await db.async_session.scalar(text("SELECT gate()")))

    assert cancelled_at(db, gate, application(db, Route("/", controller))) == 0


def test_cancelled_while_it_commits(db: Database, gate: Gate, application: Build) -> None:
    """It is unknown whether it was committed; but it has ended, and its connection is returned."""

    def controller(request: Request) -> str:
        add(db)
        session = db.session

        def hold(_: Session) -> None:
            session.scalar(text("SELECT gate()"))

        event.listen(session, "before_commit", hold)
        return "yes"

    assert cancelled_at(db, gate, application(db, Route("/", controller))) == 0


def test_one_that_took_too_long(db: Database, gate: Gate, application: Build) -> None:
    def controller(request: Request) -> str:
        add(db)
        return str(db.session.scalar(text("SELECT gate()")))

    # The driver ends what it has begun before its connection is closed.
    db.listens_for("invalidate")(lambda *_: gate.open())
    with TestClient(application(db, Route("/", controller, timeout=0.05))) as client:
        assert client.get("/").status_code == 503
        assert gate.inside == 1
        assert checked_out(db) == 0
        assert names(db) == []


def test_a_plain_block_that_is_cancelled(db: Database, gate: Gate, application: Build) -> None:
    def controller(request: Request) -> str:
        with db.begin() as session:
            session.add(Shelf(name="north"))
            return str(session.scalar(text("SELECT gate()")))

    assert cancelled_at(db, gate, application(db, Route("/", controller))) == 0


def test_an_http_exception_keeps_its_answer(db: Database, application: Build) -> None:
    def controller(request: Request) -> Any:
        add(db)
        raise Conflict("not twice")

    with TestClient(application(db, Route("/", controller))) as client:
        assert client.get("/", headers={"accept": "application/json"}).json()["detail"] == "not twice"
