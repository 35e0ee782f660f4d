import asyncio
from typing import Any

import pytest

from atlas.gateway.response_start import ResponseStart

START = {"type": "http.response.start", "status": 200, "headers": []}
EMPTY = {"type": "http.response.body", "body": b"", "more_body": True}
LAST = {"type": "http.response.body", "body": b"x"}


@pytest.mark.parametrize(("flush", "expected"), [(False, [START, LAST]), (True, [START, EMPTY, LAST])])
def test_the_start_comes_once_before_the_first_event(flush: bool, expected: list[Any]) -> None:
    sent = []

    async def send(event: Any) -> None:
        sent.append(event)

    async def run() -> None:
        start = ResponseStart(send, lambda: START, flush=flush)
        await start.open()
        await start.open()
        await start.send(LAST)

    asyncio.run(run())
    assert sent == expected


def test_another_task_waits_until_the_start_is_taken() -> None:
    sent: list[Any] = []

    async def run() -> None:
        released = asyncio.Event()

        async def send(event: Any) -> None:
            sent.append(event)
            if event is START:
                await released.wait()

        start = ResponseStart(send, lambda: START, flush=True)
        opening = asyncio.create_task(start.open_after(0))
        while not sent:
            await asyncio.sleep(0)
        sending = asyncio.create_task(start.send(LAST))
        await asyncio.sleep(0)
        assert sent == [START]
        released.set()
        await asyncio.gather(opening, sending)

    asyncio.run(run())
    assert sent == [START, EMPTY, LAST]
