import asyncio
import gc
import weakref

import pytest

from atlas.gateway.single_flight import SingleFlight


class Computation:
    """Counts its calls, and ends when the test says so."""

    def __init__(self) -> None:
        self.calls = 0
        self.goes_on = asyncio.Event()
        self.error: BaseException | None = None

    async def __call__(self) -> int:
        self.calls += 1
        await self.goes_on.wait()
        if self.error is not None:
            raise self.error
        return self.calls


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_all_get_the_result_of_one_computation() -> None:
    async def main() -> None:
        flights, compute = SingleFlight(), Computation()
        tasks = [asyncio.create_task(flights.run("a", compute)) for _ in range(5)]
        await turns()
        compute.goes_on.set()
        assert await asyncio.gather(*tasks) == [1] * 5
        assert await flights.run("a", compute) == 2
        assert not flights._flights

    asyncio.run(main())


def test_two_keys_compute_at_once() -> None:
    async def main() -> None:
        flights, compute = SingleFlight(), Computation()
        tasks = [asyncio.create_task(flights.run(key, compute)) for key in "ab"]
        await turns()
        assert compute.calls == 2
        compute.goes_on.set()
        await asyncio.gather(*tasks)

    asyncio.run(main())


def test_an_exception_reaches_all() -> None:
    async def main() -> None:
        flights, compute = SingleFlight(), Computation()
        compute.error = KeyError("x")
        tasks = [asyncio.create_task(flights.run("a", compute)) for _ in range(3)]
        await turns()
        compute.goes_on.set()
        assert [type(each) for each in await asyncio.gather(*tasks, return_exceptions=True)] == [KeyError] * 3
        assert compute.calls == 1

    asyncio.run(main())


def test_the_next_one_computes_if_the_first_is_cancelled() -> None:
    async def main() -> None:
        flights, compute = SingleFlight(), Computation()
        first, second, third = [asyncio.create_task(flights.run("a", compute)) for _ in range(3)]
        await turns()
        first.cancel()
        await turns()
        assert compute.calls == 2
        compute.goes_on.set()
        assert (await second, await third) == (2, 2)
        with pytest.raises(asyncio.CancelledError):
            await first

    asyncio.run(main())


def test_one_that_waits_can_be_cancelled() -> None:
    async def main() -> None:
        flights, compute = SingleFlight(), Computation()
        first, second = [asyncio.create_task(flights.run("a", compute)) for _ in range(2)]
        await turns()
        second.cancel()
        await turns()
        compute.goes_on.set()
        assert await first == 1
        assert second.cancelled()

    asyncio.run(main())


def test_a_computation_that_waits_for_itself() -> None:
    async def main() -> None:
        flights = SingleFlight()

        async def compute() -> int:
            return await flights.run("a", compute)

        with pytest.raises(RuntimeError, match="'a' waits for itself"):
            await flights.run("a", compute)

    asyncio.run(main())


def test_two_loops_compute_for_themselves() -> None:
    flights = SingleFlight()

    async def number() -> int:
        return 1

    assert [asyncio.run(flights.run("a", number)) for _ in range(2)] == [1, 1]


def test_an_exception_leaves_no_cycle() -> None:
    class Error(Exception):
        pass

    seen: list[weakref.ref[Error]] = []

    async def main() -> None:
        flights, goes_on = SingleFlight(), asyncio.Event()

        async def fail() -> None:
            await goes_on.wait()
            error = Error()
            seen.append(weakref.ref(error))
            try:
                raise error
            finally:
                del error

        tasks = [asyncio.create_task(flights.run("a", fail)) for _ in range(3)]
        await turns()
        goes_on.set()
        await asyncio.wait(tasks)
        assert {type(task.exception()) for task in tasks} == {Error}

    gc.disable()
    try:
        asyncio.run(main())
        assert [each() for each in seen] == [None]
    finally:
        gc.enable()
