"""``Database``: an engine, a session for each request, and the same for scripts, background work and tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from sqlalchemy import URL, MetaData, event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.util.concurrency import in_greenlet as sqlalchemy_can_wait

from atlas.errors import StartupError
from atlas.gateway.greenlets import await_, can_wait, in_greenlet
from atlas.sqlalchemy.engines import Engines
from atlas.sqlalchemy.savepoints import repair_savepoints
from atlas.sqlalchemy.units import Begin, Current, Unit
from atlas.sqlalchemy.urls import checked_url
from atlas.web.config import Config

if TYPE_CHECKING:
    from atlas.web.application import Application
    from atlas.web.requests.request import RequestHead
    from atlas.web.responses.response import Response

__all__ = ["Database"]

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Database:
    """A database of an application: ``Application(..., middleware=[db])``.

    As a middleware it gives each request a session, :attr:`session` in ``def`` controllers and :attr:`async_session` in
    ``async def``, made when it is first asked for. When the response is there, before its first byte leaves, the
    session is committed if the status is below 400, and rolled back otherwise, or if the request was cancelled; a
    commit that fails is an error page, not a promise that was broken. Then the session is closed. A stream that reads
    while it is sent opens a session of its own, with :meth:`begin`: a slow reader holds no connection otherwise.

    The engine is made when it is first needed and disposed of when the application stops.

    :param url: with an async driver: ``sqlite+aiosqlite:///app.db``. None means the application's ``database_url``.
    :param session_options: for the sessions, see ``sqlalchemy.orm.Session``. Unlike there, ``expire_on_commit`` is off.
    :param engine_options: for the engine, see ``sqlalchemy.create_engine``: ``pool_size=20``, ``echo=True`` ...
    :raises StartupError: for a URL that is none, or whose driver would block the event loop.
    """

    def __init__(
        self,
        url: str | URL | None = None,
        *,
        session_options: Mapping[str, Any] | None = None,
        **engine_options: Any,
    ) -> None:
        self._given = url is not None
        self._url = None if url is None else _checked(url, "Database")
        self._engine_options = engine_options
        self._engines = Engines(self._make_engine, session_options or {})
        self._listeners: list[tuple[str, Callable[..., Any]]] = []
        self._current: Current = ContextVar("atlas.database", default=None)
        self._bound: list[Application] = []

    # In an application.

    def bind(self, application: Application) -> None:
        """Belong to an application: its ``database_url``, if no other was given, and its lifespan.

        An application does this to its middleware; a program that uses the database otherwise may do it itself.

        :raises StartupError: if there is no URL, or it is none that works.
        """
        if not self._given:
            self._url = _configured(application.config)
        if not any(each is application for each in self._bound):
            self._bound.append(application)
            _surround(application, self)

    async def __call__(self, request: RequestHead, call_next: Callable[[RequestHead], Awaitable[Response]]) -> Response:
        """The middleware. Inside of itself it does nothing: there is one session for a request."""
        if self._has_unit():
            return await call_next(request)
        async with self._unit(current=True) as unit:
            response = await call_next(request)
            if response.status_code >= 400:
                unit.discard()
        return response

    @property
    def session(self) -> Session:
        """The session of the request that is being answered, in plain code.

        :raises RuntimeError: where there is no request, or where the code cannot wait.
        """
        unit = self._unit_for("session")
        _check_that_it_can_wait("session")
        return unit.session.sync_session

    @property
    def async_session(self) -> AsyncSession:
        """The same session for ``async def``, where what waits wants an ``await``.

        :raises RuntimeError: where there is no request.
        """
        return self._unit_for("async_session").session

    def discard(self) -> None:
        """Roll back at the end of the request, whatever its response says. It waits for nothing, and works anywhere.

        :raises RuntimeError: where there is no request.
        """
        self._unit_for("discard()").discard()

    # Anywhere.

    def begin(self) -> Begin:
        """A session of its own: ``with db.begin() as session:`` where plain code can wait, else ``async with``.

        It is committed at the end of the block, rolled back if that raises, and closed.
        """
        return Begin(lambda: self._unit(current=False), lambda: _check_that_it_can_wait("begin()"))

    def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a plain function as if it were a controller, with :attr:`session` as its own, and wait for its result.

        For scripts, which get an event loop for as long as it takes; for threads, and for tests with a ``TestClient``:
        there it runs on the loop of the application, the one that was started last if there are several. In a ``def``
        controller it runs where it is.

        :raises RuntimeError: in a coroutine, which would have to wait for its own loop. What the function raises, too.
        """
        if can_wait():
            return await_(self._run(function, *args, **kwargs))
        if _is_loop_running():
            raise RuntimeError("db.run() cannot wait in 'async def': use 'async with db.begin() as session' there")
        loop = self._engines.newest_loop()
        if loop is None:
            self._engines.check_not_sandboxed()
            return asyncio.run(self._run_alone(function, *args, **kwargs))
        if loop.is_running():
            return asyncio.run_coroutine_threadsafe(self._run(function, *args, **kwargs), loop).result()
        return loop.run_until_complete(self._run(function, *args, **kwargs))

    async def create_all(self, metadata: MetaData) -> None:
        """Create the tables that are not there yet."""
        async with self.begin() as session:
            connection = await session.connection()
            await connection.run_sync(metadata.create_all)

    @property
    def engine(self) -> AsyncEngine:
        """The engine of the running loop. Its connections know nothing of requests, nor of :meth:`rolled_back`.

        :raises RuntimeError: where no loop is running.
        """
        return self._engines.here().engine

    def listens_for(self, name: str) -> Callable[[F], F]:
        """Decorator: ``sqlalchemy.event.listens_for`` for every engine of this database, also those still to be made.

        :param name: of an event of engines, connections or pools: ``"connect"``, ``"before_cursor_execute"`` ...
        """

        def add(function: F) -> F:
            self._listeners.append((name, function))
            for engine in self._engines.all():
                event.listen(engine.sync_engine, name, function)
            return function

        return add

    async def __aenter__(self) -> Database:
        """``async with db:`` keeps the engine; whoever leaves such a block last disposes of it."""
        self._engines.hold()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._engines.release()

    # In tests.

    def rolled_back(self) -> RolledBack:
        """A block in which nothing is committed: ``with``, or ``async with`` in a coroutine.

        All sessions share one connection and one transaction, in which each has a savepoint: what one commits, the next
        one sees, and at the end of the block all of it is rolled back. Requests take turns.
        """
        return RolledBack(self._engines)

    # Inside.

    def _make_engine(self) -> AsyncEngine:
        if self._url is None:
            self._url = _configured(Config.read(None))
        try:
            engine = create_async_engine(self._url, **self._engine_options)
        except ModuleNotFoundError as error:
            raise StartupError(f"Database: {self._url.drivername} needs a driver: pip install {error.name}") from None
        repair_savepoints(engine.sync_engine)
        for name, function in self._listeners:
            event.listen(engine.sync_engine, name, function)
        return engine

    def _unit(self, *, current: bool) -> Unit:
        return Unit(self._engines.here(), self._current if current else None, inside=self._has_unit())

    def _has_unit(self) -> bool:
        unit = self._current.get()
        return unit is not None and not unit.over and unit.engine is self._engines.here()

    def _unit_for(self, what: str) -> Unit:
        unit = self._current.get()
        if unit is None:
            raise RuntimeError(
                f"db.{what}: there is no request here, or this database is not among the middleware of its route; "
                "'with db.begin() as session' works without, and db.run(function) gives a function a session"
            )
        if unit.over:
            raise RuntimeError(
                f"db.{what}: the response is there and the session of this request is closed; a stream or a background "
                "job opens one of its own, with db.begin()"
            )
        return unit

    async def _run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        async with self._unit(current=True):
            return await in_greenlet(function, *args, **kwargs)

    async def _run_alone(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        async with self:
            return await self._run(function, *args, **kwargs)


class RolledBack:
    """The block of :meth:`Database.rolled_back`."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    def __enter__(self) -> None:
        if _is_loop_running():
            raise RuntimeError("db.rolled_back(): in a coroutine its end has to be awaited: 'async with'")
        self._engines.open_sandboxes()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engines.close_sandboxes()

    async def __aenter__(self) -> None:
        self._engines.open_sandboxes()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._engines.close_sandboxes_from_here()


def _surround(application: Application, database: Database) -> None:
    """Put the database around the lifespan of an application: it is the first to come and the last to go."""
    lifespan = application._lifespan
    inner = lifespan._context

    @asynccontextmanager
    async def around(app: Any) -> AsyncIterator[Mapping[str, Any] | None]:
        async with database:
            if inner is None:
                yield None
            else:
                async with inner(app) as state:
                    yield state

    lifespan._context = around


def _configured(config: Config) -> URL:
    if config.database_url is None:
        raise StartupError(
            "Database: no URL: write Database('sqlite+aiosqlite:///app.db'), or set database_url (ATLAS_DATABASE_URL)"
        )
    return _checked(config.database_url, "config: database_url")


def _checked(url: str | URL, place: str) -> URL:
    try:
        return checked_url(url)
    except ValueError as error:
        raise StartupError(f"{place}: {error}") from None


def _check_that_it_can_wait(what: str) -> None:
    if not sqlalchemy_can_wait():
        raise RuntimeError(
            f"db.{what} waits for the database, which plain code can do in a greenlet only: give the route "
            "run='greenlet'; 'async def' has db.async_session and 'async with db.begin()', a thread db.run(function)"
        )


def _is_loop_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
