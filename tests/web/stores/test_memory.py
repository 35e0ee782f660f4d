import pytest

from atlas.web.stores.memory import MemoryStore


def test_the_least_recently_used_session_is_dropped() -> None:
    store = MemoryStore(2)
    store.set("a", b"a", 60)
    store.set("b", b"b", 60)
    assert store.get("a") == b"a"
    store.set("c", b"c", 60)
    assert [store.get(name) for name in "abc"] == [b"a", None, b"c"]
    assert len(store) == 2


def test_the_same_name_again_takes_no_space() -> None:
    store = MemoryStore(2)
    for _ in range(5):
        store.set("a", b"a", 60)
        store.touch("a", 60)
    store.set("b", b"b", 60)
    assert [store.get(name) for name in "ab"] == [b"a", b"b"]


def test_expired_sessions_take_no_space() -> None:
    store = MemoryStore()
    store.set("a", b"a", 0)
    assert store.get("a") is None
    assert len(store) == 0


def test_the_size_is_positive() -> None:
    with pytest.raises(ValueError, match="MemoryStore: size: expected 1 or more, got 0"):
        MemoryStore(0)
