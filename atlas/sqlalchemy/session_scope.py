"""The scope of a session: it is made at first use, and committed or rolled back at the end."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from types import TracebackType

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from atlas.gateway.greenlets import await_
from atlas.sqlalchemy.engines import LoopEngine

__all__ = ["BeginContext", "CurrentScope", "SessionScope"]


class SessionScope:
    """A block with a session: ``async with scope: scope.session ...``

    At the end of the block the session is committed. It is rolled back if the block raises or is cancelled, or if
    :meth:`discard` was called. Then it is closed, and cannot be used again. If the session is not used, no connection
        is
    taken.

    :param engine: the engine of the loop.
    :param current: the context variable that refers to this scope inside the block, or None.
    :param nested: whether the block is inside the scope of another session.

    :ivar ended: whether the block has ended.
    """

    __slots__ = (
        "_current",
        "_discarded",
        "_nested",
        "_session",
        "_streams",
        "_token",
        "_transaction",
        "ended",
        "engine",
    )

    _token: Token[SessionScope | None]

    def __init__(self, engine: LoopEngine, current: CurrentScope | None, *, nested: bool) -> None:
        self.engine = engine
        self._transaction = engine.transaction
        self._current = current
        self._nested = nested
        self._session: AsyncSession | None = None
        self._discarded = False
        self._streams = False
        self.ended = False

    @property
    def session(self) -> AsyncSession:
        """The session, which is made at the first access."""
        if self._session is None:
            self._session = (self._transaction or self.engine).new_session()
        return self._session

    def discard(self) -> None:
        """Roll back at the end of the block."""
        self._discarded = True

    async def __aenter__(self) -> SessionScope:
        if self._transaction is not None:
            await self._transaction.acquire(nested=self._nested)
        if self._current is not None:
            self._token = self._current.set(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._session is not None and not self._streams:
                await _end(self._session, commit=kind is None and not self._discarded)
        finally:
            self.ended = True
            if self._current is not None:
                self._current.reset(self._token)
            if self._transaction is not None and not self._streams:
                self._transaction.release(nested=self._nested)

    # For a streaming response: :class:`atlas.web.responses.body_stream.StreamHook`.

    async def begin_stream(self, status_code: int) -> None:
        """Commit, or roll back for a status from 400. The session stays open: objects load their relationships.

        :param status_code: the status of the response.
        """
        if self.ended:
            return
        self.ended = self._streams = True
        if self._current is not None:
            self._current.set(None)
        try:
            if self._session is not None:
                await _finish(self._session, commit=status_code < 400 and not self._discarded)
        finally:
            if self._transaction is not None:
                self._transaction.release(nested=self._nested)

    async def pause_stream(self) -> None:
        """Return the connection of what was loaded: a slow client must not keep it."""
        if self._streams and self._session is not None and self._session.in_transaction():
            await _finish(self._session, commit=True)

    async def end_stream(self) -> None:
        """Close the session."""
        if self._streams and self._session is not None:
            await _end(self._session, commit=False)


CurrentScope = ContextVar[SessionScope | None]


async def _end(session: AsyncSession, *, commit: bool) -> None:
    try:
        if commit:
            await session.commit()
    finally:
        if session.in_transaction():
            # It rolls back, and completes even if the task is cancelled again.
            await session.__aexit__(None, None, None)
        else:
            session.sync_session.close()  # it has no connection, so there is nothing to wait for


async def _finish(session: AsyncSession, *, commit: bool) -> None:
    """Commit or roll back, and keep the session. If that fails, close it."""
    try:
        await (session.commit() if commit else session.rollback())
    except BaseException:
        await _end(session, commit=False)
        raise


class BeginContext:
    """The block of :meth:`Database.begin`: ``with`` in sync code that can wait, ``async with`` in a coroutine.

    :param make_scope: makes the scope of the session.
    :param check: raises if sync code cannot wait.
    """

    __slots__ = ("_check", "_make_scope", "_scope")

    _scope: SessionScope

    def __init__(self, make_scope: Callable[[], SessionScope], check: Callable[[], None]) -> None:
        self._make_scope = make_scope
        self._check = check

    async def __aenter__(self) -> AsyncSession:
        self._scope = await self._make_scope().__aenter__()
        return self._scope.session

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._scope.__aexit__(kind, error, trace)

    def __enter__(self) -> Session:
        self._check()
        return await_(self.__aenter__()).sync_session

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await_(self.__aexit__(kind, error, trace))
