"""How sessions use a store that has no ``replace``; tests/web/middleware/test_ended_sessions.py has the requests."""

import asyncio
from typing import Any

from atlas.web.sessions.session_store import SessionStore
from atlas.web.stores.memory import MemoryStore


class Short:
    """Four methods only."""

    def __init__(self) -> None:
        store = MemoryStore()
        self.get, self.set, self.delete, self.touch = store.get, store.set, store.delete, store.touch


def test_an_ended_session_is_not_saved_again() -> None:
    async def use() -> list[Any]:
        store = SessionStore(Short(), 60)
        await store.add("a", b"one")
        saved = [await store.replace("a", b"two"), await store.get("a"), await store.touch("a")]
        await store.end("a")
        return [*saved, await store.replace("a", b"three"), await store.touch("a"), await store.get("a")]

    assert asyncio.run(use()) == [True, b"two", True, False, False, None]


def test_a_session_that_ends_while_it_is_saved() -> None:
    class Slow(Short):
        def __init__(self) -> None:
            super().__init__()
            save = self.set

            def save_after_the_end(name: str, data: bytes, seconds: float) -> None:
                if data == b"two":
                    save("ended:a", b"1", 60)
                    self.delete("a")
                save(name, data, seconds)

            self.set = save_after_the_end  # type: ignore[method-assign]

    async def use() -> list[Any]:
        store = SessionStore(Slow(), 60)
        await store.add("a", b"one")
        return [await store.replace("a", b"two"), await store.get("a")]

    assert asyncio.run(use()) == [False, None]
