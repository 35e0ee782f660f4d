import asyncio
from typing import Any

import pytest

from atlas.gateway.keep_alive import KeepAlive


def ping() -> dict[str, Any]:
    return {"type": "ping"}


def test_an_idle_stream_is_pinged_until_it_is_cancelled() -> None:
    async def go() -> list[str]:
        sent: list[str] = []
        enough = asyncio.Event()

        async def send(event: Any) -> None:
            sent.append(event["type"])
            if len(sent) == 3:
                enough.set()

        task = asyncio.ensure_future(KeepAlive(send, 0.001, ping).run())
        await enough.wait()
        task.cancel()
        return sent

    assert asyncio.run(go()) == ["ping"] * 3


def test_what_is_sent_puts_the_next_ping_off() -> None:
    async def go() -> list[str]:
        sent: list[str] = []

        async def send(event: Any) -> None:
            sent.append(event["type"])

        keep_alive = KeepAlive(send, 3600, ping)
        task = asyncio.ensure_future(keep_alive.run())
        for _ in range(3):
            await keep_alive.send({"type": "piece"})
            await asyncio.sleep(0)
        task.cancel()
        return sent

    assert asyncio.run(go()) == ["piece"] * 3


def test_two_messages_are_never_sent_at_once() -> None:
    async def go() -> None:
        inside = 0

        async def send(event: Any) -> None:
            nonlocal inside
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            inside -= 1

        keep_alive = KeepAlive(send, 3600, ping)
        await asyncio.gather(*(keep_alive.send({"type": "piece"}) for _ in range(5)))

    asyncio.run(go())


def test_what_send_raises_comes_out() -> None:
    async def send(event: Any) -> None:
        raise OSError("gone")

    async def go() -> None:
        await KeepAlive(send, 0, ping).run()

    with pytest.raises(OSError, match="gone"):
        asyncio.run(go())
