"""One computation at a time: those who ask for the same thing meanwhile get its result."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

__all__ = ["SingleFlight"]

T = TypeVar("T")


class _Flight(NamedTuple):
    result: asyncio.Future[object]
    task: asyncio.Task[object] | None


class SingleFlight:
    """Computations by key. On each event loop one computation of a key runs at a time, in the task that asked first."""

    __slots__ = ("_flights",)

    def __init__(self) -> None:
        self._flights: dict[tuple[asyncio.AbstractEventLoop, str], _Flight] = {}

    async def run(self, key: str, function: Callable[[], Awaitable[T]]) -> T:
        """Await ``function()``, or the result of the computation of this key that runs already.

        If that one is cancelled, the next one who waits for it computes.

        :param key: the key.
        :param function: computes the result.
        :returns: the result.
        :raises Exception: what the computation raises, in all who wait for it.
        :raises RuntimeError: if the computation of a key asks for its own key.
        """
        place = (asyncio.get_running_loop(), key)
        while (flight := self._flights.get(place)) is not None:
            if flight.task is asyncio.current_task():
                raise RuntimeError(f"the computation of {key!r} waits for itself")
            await asyncio.wait([flight.result])  # a caller that is cancelled leaves the computation alone
            try:
                if not flight.result.cancelled():
                    return flight.result.result()  # type: ignore[return-value]  # of the same key
            finally:
                del flight  # an exception refers to this frame, and the future to the exception
        return await self._compute(place, function)

    async def _compute(self, place: tuple[asyncio.AbstractEventLoop, str], function: Callable[[], Awaitable[T]]) -> T:
        flight = self._flights[place] = _Flight(place[0].create_future(), asyncio.current_task())
        try:
            result = await function()
        except Exception as error:
            flight.result.set_exception(error)
            flight.result.exception()  # it need not be retrieved
            raise
        except BaseException:
            flight.result.cancel()
            raise
        else:
            flight.result.set_result(result)
            return result
        finally:
            del self._flights[place], flight
