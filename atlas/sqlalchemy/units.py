"""A unit of work: one session, made when it is first asked for, whose end is a commit or a rollback."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from types import TracebackType

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from atlas.gateway.greenlets import await_
from atlas.sqlalchemy.engines import LoopEngine

__all__ = ["Begin", "Current", "Unit"]


class Unit:
    """``async with unit:`` is the time in which :attr:`session` can be asked for.

    The session is committed at the end of the block; it is rolled back if the block raises, a cancellation included,
    or if :meth:`discard` was called. It is closed in any case, and for good: whoever kept it gets an error, and not a
    connection that nobody gives back. Who never asks for it costs the database nothing.

    :param engine: what it works on, as it is now.
    :param current: where it says that it is the one of this context; None, if it does not.
    :param inside: whether there is a unit around it.

    :ivar over: whether the block has ended.
    """

    __slots__ = ("_current", "_discarded", "_inside", "_sandbox", "_session", "_token", "engine", "over")

    _token: Token[Unit | None]

    def __init__(self, engine: LoopEngine, current: Current | None, *, inside: bool) -> None:
        self.engine = engine
        self._sandbox = engine.sandbox
        self._current = current
        self._inside = inside
        self._session: AsyncSession | None = None
        self._discarded = False
        self.over = False

    @property
    def session(self) -> AsyncSession:
        """The session."""
        if self._session is None:
            self._session = (self._sandbox or self.engine).new_session()
        return self._session

    def discard(self) -> None:
        """Roll back at the end, whatever it is."""
        self._discarded = True

    async def __aenter__(self) -> Unit:
        if self._sandbox is not None:
            await self._sandbox.enter(inside=self._inside)
        if self._current is not None:
            self._token = self._current.set(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._session is not None:
                await _end(self._session, commit=kind is None and not self._discarded)
        finally:
            self.over = True
            if self._current is not None:
                self._current.reset(self._token)
            if self._sandbox is not None:
                self._sandbox.leave(inside=self._inside)


Current = ContextVar[Unit | None]


async def _end(session: AsyncSession, *, commit: bool) -> None:
    try:
        if commit:
            await session.commit()
    finally:
        if session.in_transaction():
            # Its own way out rolls back, and goes on to its end although this task be cancelled again.
            await session.__aexit__(None, None, None)
        else:
            session.sync_session.close()  # it holds no connection, so there is nothing to wait for


class Begin:
    """A session of its own for a block: ``with`` in plain code that can wait, ``async with`` in a coroutine.

    :param make: makes its unit. :param check: raises where plain code cannot wait.
    """

    __slots__ = ("_check", "_make", "_unit")

    _unit: Unit

    def __init__(self, make: Callable[[], Unit], check: Callable[[], None]) -> None:
        self._make = make
        self._check = check

    async def __aenter__(self) -> AsyncSession:
        self._unit = await self._make().__aenter__()
        return self._unit.session

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._unit.__aexit__(kind, error, trace)

    def __enter__(self) -> Session:
        self._check()
        return await_(self.__aenter__()).sync_session

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await_(self.__aexit__(kind, error, trace))
