import asyncio
from typing import Any

import pytest

from atlas.redis import RedisStore, scripts


@pytest.fixture
def take(redis_server: Any) -> Any:
    """Run TAKE with a time of the test instead of the server's."""
    client = redis_server.client()
    at_a_time = client.register_script(scripts.TAKE.replace("redis.call('TIME')", "{ARGV[3], ARGV[4]}"))

    def call(now: float, capacity: float = 2, per_second: float = 0.5) -> float:
        return float(at_a_time(["b"], [capacity, per_second, int(now), round(now % 1 * 1e6)]))

    yield call
    client.close()


def test_a_full_bucket_is_emptied(take: Any) -> None:
    assert [take(1000) for _ in range(4)] == [1, 0, -1, -1]


def test_tokens_come_back(take: Any) -> None:
    assert [take(1000), take(1000), take(1000)] == [1, 0, -1]
    assert take(1001.5) == pytest.approx(-0.25)
    assert take(1002) == pytest.approx(0)
    assert take(1002 + 3600) == 1


def test_a_clock_that_jumps_back_adds_nothing(take: Any) -> None:
    assert [take(1000), take(900), take(900)] == [1, 0, -1]


def test_a_bucket_expires_when_it_is_full_again(take: Any, redis_server: Any) -> None:
    take(1000)
    with redis_server.client() as client:
        assert 2000 < client.pttl("b") <= 3000  # one token in two seconds, and one second more


def test_many_clients_take_no_more_than_there_is(redis_server: Any) -> None:
    async def ask() -> list[float]:
        stores = [RedisStore(redis_server.url, max_connections=5) for _ in range(3)]
        left = await asyncio.gather(*[store.take("b", 10, 1e-6) for store in stores for _ in range(20)])
        for store in stores:
            await store.aclose()
        return left

    left = asyncio.run(ask())
    assert sorted((round(each) for each in left if each >= 0), reverse=True) == list(range(9, -1, -1))
    assert len(left) == 60
