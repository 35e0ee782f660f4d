"""What a database has on each event loop: an engine, for a connection belongs to the loop that opened it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from atlas.sqlalchemy.rolled_back import Sandbox

__all__ = ["Engines", "LoopEngine"]


class LoopEngine:
    """An engine with its sessions.

    :param options: of the sessions. :param sandboxed: whether a test stands around it.

    :ivar users: how many wait for its end; the last one disposes of it.
    :ivar sandbox: the transaction of that test.
    """

    def __init__(self, engine: AsyncEngine, options: Mapping[str, Any], *, sandboxed: bool) -> None:
        self.engine = engine
        self.users = 0
        self.sandbox: Sandbox | None = None
        # Closed for good, so that a session that somebody keeps can't take a connection that nobody gives back; and
        # what was read stays readable after a commit, for a coroutine couldn't wait for it to be read again.
        self._options = {"close_resets_only": False, "expire_on_commit": False, **options}
        self._make: async_sessionmaker[AsyncSession] = async_sessionmaker(engine, **self._options)
        if sandboxed:
            self.open_sandbox()

    def new_session(self) -> AsyncSession:
        """A session that has not begun yet."""
        return self._make()

    def open_sandbox(self) -> None:
        """From now on nothing is committed."""
        self.sandbox = Sandbox(self.engine, self._options)

    async def close_sandbox(self) -> None:
        """Forget what was done since then."""
        sandbox, self.sandbox = self.sandbox, None
        if sandbox is not None:
            await sandbox.close()

    async def dispose(self) -> None:
        """Close every connection."""
        await self.close_sandbox()
        await self.engine.dispose()


class Engines:
    """The engines of a database, by event loop.

    :param make: makes one. :param options: of the sessions.
    """

    def __init__(self, make: Callable[[], AsyncEngine], options: Mapping[str, Any]) -> None:
        self._make = make
        self._options = dict(options)
        self._by_loop: dict[asyncio.AbstractEventLoop, LoopEngine] = {}
        self._sandboxed = False

    def here(self) -> LoopEngine:
        """The engine of the running loop, made when it is first asked for.

        :raises RuntimeError: where no loop is running.
        """
        loop = asyncio.get_running_loop()
        found = self._by_loop.get(loop)
        if found is None:
            for each in list(self._by_loop):  # other threads may have loops too
                if each.is_closed():
                    self._by_loop.pop(each, None)
            found = self._by_loop[loop] = LoopEngine(self._make(), self._options, sandboxed=self._sandboxed)
        return found

    def all(self) -> list[AsyncEngine]:
        """Those that there are."""
        return [each.engine for each in list(self._by_loop.values())]

    def newest_loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that was the last to get its engine, of those that are still there."""
        return next((loop for loop in reversed(list(self._by_loop)) if not loop.is_closed()), None)

    def hold(self) -> None:
        """Keep the engine of the running loop until :meth:`release`."""
        self.here().users += 1

    async def release(self) -> None:
        """Close every connection of the running loop, if nobody else keeps its engine."""
        loop = asyncio.get_running_loop()
        found = self._by_loop.get(loop)
        if found is None:
            return
        found.users -= 1
        if found.users <= 0:
            del self._by_loop[loop]
            await found.dispose()

    def check_not_sandboxed(self) -> None:
        """:raises RuntimeError: in a test that nothing was started in: it would not see what is done elsewhere."""
        if self._sandboxed:
            raise RuntimeError("start the application first: 'with TestClient(app) as client', then db.run(function)")

    def open_sandboxes(self) -> None:
        """From now on nothing is committed, on any loop. :raises RuntimeError: if that is so already."""
        if self._sandboxed:
            raise RuntimeError("this database is rolled back already: one test at a time")
        self._sandboxed = True
        for each in list(self._by_loop.values()):
            each.open_sandbox()

    def close_sandboxes(self) -> None:
        """Forget what was done since then, on every loop: those that are idle have to be this thread's own."""
        for loop, each in self._leave_sandboxes():
            if loop.is_running():
                asyncio.run_coroutine_threadsafe(each.close_sandbox(), loop).result()
            else:
                loop.run_until_complete(each.close_sandbox())

    async def close_sandboxes_from_here(self) -> None:
        """The same where a loop is running."""
        here = asyncio.get_running_loop()
        for loop, each in self._leave_sandboxes():
            if loop is here:
                await each.close_sandbox()
            elif loop.is_running():
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(each.close_sandbox(), loop))

    def _leave_sandboxes(self) -> list[tuple[asyncio.AbstractEventLoop, LoopEngine]]:
        self._sandboxed = False
        return [(loop, each) for loop, each in list(self._by_loop.items()) if not loop.is_closed()]
