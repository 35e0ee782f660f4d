import asyncio
import threading
from contextvars import ContextVar

import pytest

from atlas.gateway.threads import in_thread, next_turn

WHO: ContextVar[str] = ContextVar("WHO", default="nobody")


def test_a_function_runs_in_another_thread_with_the_context_of_its_caller() -> None:
    def look(a: int, *, b: int) -> tuple[bool, str, int]:
        return threading.current_thread() is threading.main_thread(), WHO.get(), a + b

    async def go() -> tuple[bool, str, int]:
        WHO.set("me")
        return await in_thread(look, 1, b=2)

    assert asyncio.run(go()) == (False, "me", 3)


def test_its_exception_is_raised_here() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_thread(divmod, 1, 0))


def test_others_get_their_turn() -> None:
    seen = []

    async def go() -> None:
        asyncio.get_running_loop().call_soon(seen.append, "other")
        await next_turn()
        seen.append("me")

    asyncio.run(go())
    assert seen == ["other", "me"]
