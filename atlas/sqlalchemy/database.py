"""``Database``: sessions for requests, scripts, background tasks and tests."""

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
from atlas.sqlalchemy.session_scope import BeginContext, CurrentScope, SessionScope
from atlas.sqlalchemy.urls import checked_url
from atlas.web.config import Config
from atlas.web.scope_keys import STREAM_HOOKS

if TYPE_CHECKING:
    from atlas.web.application import Application
    from atlas.web.requests.request_head import RequestHead
    from atlas.web.responses.response import Response

__all__ = ["Database"]

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Database:
    """A database, and a middleware with a session for each request: ``Application(..., middleware=[db])``.

    The session is :attr:`session` in ``def`` controllers and :attr:`async_session` in ``async def``; it is made at the
    first access. After the controller has returned and before the response is sent, the session is committed if the
    status is below 400. It is rolled back otherwise, and if the request was cancelled. If the commit fails, the
    response is an error page. Then the session is closed, so that a slow client keeps no connection of the database.

    A streaming response, such as a template with ``stream=True``, is produced after the commit. Its objects can still
    load their relationships: the session is closed at the end of the stream, and has no connection while the client
    reads. What else reads from the database while it is sent opens a session of its own, with :meth:`begin`.

    The engine is made at first use and disposed of when the application stops.

    :param url: a URL with an async driver: ``sqlite+aiosqlite:///app.db``; by default the ``database_url`` of the
        application.
    :param session_options: options of ``sqlalchemy.orm.Session``; ``expire_on_commit`` is False by default.
    :param engine_options: options of ``sqlalchemy.create_engine``: ``pool_size=20``, ``echo=True`` ...
    :raises StartupError: for a wrong URL, or one whose driver would block the event loop.
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
        self._current: CurrentScope = ContextVar("atlas.database", default=None)
        self._bound: list[Application] = []

    def bind(self, application: Application) -> None:
        """Use the ``database_url`` of an application, unless a URL was given, and its lifespan.

        The application calls it for its middleware. A program that does not use the database as a middleware may call
        it.

        :raises StartupError: if there is no URL, or it is wrong.
        """
        if not self._given:
            self._url = _configured(application.config)
        if not any(each is application for each in self._bound):
            self._bound.append(application)
            _wrap_lifespan(application, self)

    def use_config(self, config: Config) -> None:
        """Use the ``database_url`` of a configuration, unless a URL was given.

        The application calls it when it is created, so that a script may call :meth:`run` without starting it.
        """
        if not self._given and config.database_url is not None:
            self._url = _configured(config)

    async def __call__(self, request: RequestHead, call_next: Callable[[RequestHead], Awaitable[Response]]) -> Response:
        """Run the request in the scope of a session. A second use of the same database in a request has no effect."""
        if self._has_scope():
            return await call_next(request)
        async with self._new_scope(current=True) as scope:
            request._notes.setdefault(STREAM_HOOKS, []).append(scope)
            response = await call_next(request)
            if response.status_code >= 400:
                scope.discard()
        return response

    @property
    def session(self) -> Session:
        """The session of the current request, for sync code.

        :raises RuntimeError: outside of a request, or where sync code cannot wait.
        """
        scope = self._scope_for("session")
        _check_can_wait("session")
        return scope.session.sync_session

    @property
    def async_session(self) -> AsyncSession:
        """The session of the current request, for ``async def``.

        :raises RuntimeError: outside of a request.
        """
        return self._scope_for("async_session").session

    def discard(self) -> None:
        """Roll back at the end of the request, whatever the status of its response is.

        :raises RuntimeError: outside of a request.
        """
        self._scope_for("discard()").discard()

    def begin(self) -> BeginContext:
        """Return a context manager for a new session: ``with db.begin() as session:``; in a coroutine ``async with``.

        At the end of the block the session is committed, or rolled back if the block raises, and closed.
        """
        return BeginContext(lambda: self._new_scope(current=False), lambda: _check_can_wait("begin()"))

    def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a sync function with a :attr:`session`, as if it were a controller, and wait for the result.

        In a thread, and in a test with a ``TestClient``, it runs on the loop of the application; of several loops, on
        the one that was started last. In a script it runs on a loop of its own. In a ``def`` controller it runs in
        place.

        :param function: called with ``args`` and ``kwargs``.
        :returns: what the function returns.
        :raises RuntimeError: in a coroutine, which would wait for its own loop.
        """
        if can_wait():
            return await_(self._run(function, *args, **kwargs))
        if _is_loop_running():
            raise RuntimeError("db.run() cannot wait in 'async def': use 'async with db.begin() as session' there")
        loop = self._engines.newest_loop()
        if loop is None:
            self._engines.check_not_in_shared_transaction()
            return asyncio.run(self._run_alone(function, *args, **kwargs))
        if loop.is_running():
            return asyncio.run_coroutine_threadsafe(self._run(function, *args, **kwargs), loop).result()
        return loop.run_until_complete(self._run(function, *args, **kwargs))

    async def create_all(self, metadata: MetaData) -> None:
        """Create the tables of ``metadata`` that do not exist."""
        async with self.begin() as session:
            connection = await session.connection()
            await connection.run_sync(metadata.create_all)

    @property
    def engine(self) -> AsyncEngine:
        """The engine of the running loop. Its connections belong to no request, and not to :meth:`rolled_back`.

        :raises RuntimeError: if no loop is running.
        """
        return self._engines.current().engine

    def listens_for(self, name: str) -> Callable[[F], F]:
        """Decorator: ``sqlalchemy.event.listens_for`` for all engines of this database, also those that are made later.

        :param name: an event of engines, connections or pools: ``"connect"``, ``"before_cursor_execute"`` ...
        """

        def add(function: F) -> F:
            self._listeners.append((name, function))
            for engine in self._engines.all():
                event.listen(engine.sync_engine, name, function)
            return function

        return add

    async def __aenter__(self) -> Database:
        """Keep the engine inside ``async with db:``. It is disposed of at the end of the last such block."""
        self._engines.acquire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._engines.release()

    def rolled_back(self) -> RollbackContext:
        """Return a context manager for tests: at its end all changes are rolled back.

        All sessions share one connection and one transaction, in which each has a savepoint. What a session commits is
        visible to the next one. Requests run one at a time. In a coroutine, use ``async with``.
        """
        return RollbackContext(self._engines)

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

    def _new_scope(self, *, current: bool) -> SessionScope:
        return SessionScope(self._engines.current(), self._current if current else None, nested=self._has_scope())

    def _has_scope(self) -> bool:
        scope = self._current.get()
        return scope is not None and not scope.ended and scope.engine is self._engines.current()

    def _scope_for(self, what: str) -> SessionScope:
        scope = self._current.get()
        if scope is None:
            raise RuntimeError(
                f"db.{what}: this code runs outside of a request, or this database is not a middleware of its route; "
                "'with db.begin() as session' and db.run(function) work without a request"
            )
        if scope.ended:
            raise RuntimeError(
                f"db.{what}: the session of this request is closed, because its response is complete; a streaming "
                "response and a background function open a session of their own, with db.begin()"
            )
        return scope

    async def _run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        async with self._new_scope(current=True):
            return await in_greenlet(function, *args, **kwargs)

    async def _run_alone(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        async with self:
            return await self._run(function, *args, **kwargs)


class RollbackContext:
    """The block of :meth:`Database.rolled_back`."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    def __enter__(self) -> None:
        if _is_loop_running():
            raise RuntimeError("db.rolled_back(): expected 'async with' in a coroutine, got 'with'")
        self._engines.begin_shared_transactions()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engines.close_shared_transactions()

    async def __aenter__(self) -> None:
        self._engines.begin_shared_transactions()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._engines.aclose_shared_transactions()


def _wrap_lifespan(application: Application, database: Database) -> None:
    """Enter the database before the lifespan of the application, and leave it after that."""
    lifespan = application._lifespan
    inner = lifespan._context

    @asynccontextmanager
    async def wrapped(app: Any) -> AsyncIterator[Mapping[str, Any] | None]:
        async with database:
            if inner is None:
                yield None
            else:
                async with inner(app) as state:
                    yield state

    lifespan._context = wrapped


def _configured(config: Config) -> URL:
    if config.database_url is None:
        raise StartupError(
            "Database: there is no URL: write Database('sqlite+aiosqlite:///app.db'), "
            "or set database_url (ATLAS_DATABASE_URL)"
        )
    return _checked(config.database_url, "config: database_url")


def _checked(url: str | URL, origin: str) -> URL:
    try:
        return checked_url(url)
    except ValueError as error:
        raise StartupError(f"{origin}: {error}") from None


def _check_can_wait(what: str) -> None:
    if not sqlalchemy_can_wait():
        raise RuntimeError(
            f"db.{what} waits for the database, which sync code can do in a greenlet only: set run='greenlet' on the "
            "route; in 'async def' use db.async_session and 'async with db.begin()', in a thread db.run(function)"
        )


def _is_loop_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
