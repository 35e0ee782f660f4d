import pytest

from atlas.web.stores.token_buckets import TokenBuckets


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_is_emptied_and_filled() -> None:
    clock = Clock()
    buckets = TokenBuckets(clock=clock)
    assert [buckets.take("a", 2, 0.5) for _ in range(4)] == [1, 0, -1, -1]
    clock.now += 1.5
    assert buckets.take("a", 2, 0.5) == pytest.approx(-0.25)
    clock.now += 0.5
    assert buckets.take("a", 2, 0.5) == pytest.approx(0)
    clock.now += 3600
    assert buckets.take("a", 2, 0.5) == 1


def test_the_least_recently_used_bucket_is_dropped() -> None:
    buckets = TokenBuckets(2, clock=Clock())
    assert [buckets.take(name, 1, 1e-9) for name in "abac"] == [0, 0, -1, 0]
    assert buckets.take("a", 1, 1e-9) == -1
    assert buckets.take("b", 1, 1e-9) == 0
