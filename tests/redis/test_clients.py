import asyncio
from typing import Any

import pytest
import redis.asyncio

from atlas import StartupError
from atlas.redis.clients import Clients


def clients(url: Any, **options: Any) -> Clients:
    return Clients(url, timeout=1.0, max_connections=2, options=options)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://cache:6379", "http://cache:6379"),
        ("redis://name:secret@cache:6379/first", "redis://…@cache:6379/first"),
        (6379, "6379"),
    ],
)
def test_a_wrong_url_stops_the_start(url: Any, told: str) -> None:
    with pytest.raises(StartupError) as error:
        clients(url)
    assert str(error.value).startswith("Redis: ")
    assert told in str(error.value)
    assert "secret" not in str(error.value)


def test_each_loop_has_its_client(redis_server: Any) -> None:
    made = clients(redis_server.url)

    async def ask() -> Any:
        client = made.current()
        assert made.current() is client
        await client.set("a", "1")
        await made.aclose()
        assert made.current() is not client
        await made.aclose()
        return client

    assert asyncio.run(ask()) is not asyncio.run(ask())
    assert not made._by_loop


def test_clients_of_closed_loops_are_forgotten(redis_server: Any) -> None:
    made = clients(redis_server.url)

    async def use() -> None:
        made.current()

    for _ in range(3):
        asyncio.run(use())
    assert len(made._by_loop) == 1


def test_a_function_makes_the_client(redis_server: Any) -> None:
    made = clients(lambda: redis.asyncio.Redis.from_url(redis_server.url, client_name="own"))

    async def name() -> Any:
        try:
            return await made.current().client_getname()
        finally:
            await made.aclose()

    assert asyncio.run(name()) in (b"own", "own")


def test_what_needs_a_connection_waits_for_one(redis_server: Any) -> None:
    made = clients(redis_server.url)

    async def ask() -> list[Any]:
        try:
            return await asyncio.gather(*[made.current().incr("n") for _ in range(20)])
        finally:
            await made.aclose()

    assert sorted(asyncio.run(ask())) == list(range(1, 21))


def test_a_client_that_decodes_is_refused() -> None:
    with pytest.raises(StartupError, match="decode_responses: a store keeps bytes"):
        Clients("redis://localhost", timeout=1, max_connections=1, options={"decode_responses": True})
