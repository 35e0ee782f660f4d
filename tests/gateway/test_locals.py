"""Whose the attributes of a Local are."""

import asyncio
import copy
import pickle
import threading
from typing import Any

import pytest

from atlas.gateway.greenlets import Greenlets, await_
from atlas.gateway.locals import Local
from atlas.gateway.threads import ThreadPool, in_thread


async def turn() -> None:
    await asyncio.sleep(0)


def test_attributes_come_and_go() -> None:
    local = Local()
    with pytest.raises(AttributeError, match="this request has no value for 'user'"):
        _ = local.user
    local.user = "ann"
    assert (local.user, hasattr(local, "user"), "user" in dir(local)) == ("ann", True, True)
    assert repr(local) == "Local(user='ann')"
    del local.user
    assert not hasattr(local, "user")
    with pytest.raises(AttributeError, match="this request has no value for 'user'"):
        del local.user


def test_defaults() -> None:
    async def change(local: Local) -> Any:
        local.depth += 1
        del local.user
        return local.depth, hasattr(local, "user")

    local = Local(user=None, depth=0)
    assert [asyncio.run(change(local)) for _ in range(2)] == [(1, False)] * 2
    assert (local.user, local.depth) == (None, 0)


def test_two_of_them_have_nothing_in_common() -> None:
    one, two = Local(), Local()
    one.name = "one"
    assert not hasattr(two, "name")


@pytest.mark.parametrize("kind", ["greenlet", "thread", "coroutine"])
def test_requests_do_not_see_each_other(kind: str) -> None:
    async def go() -> list[Any]:
        local, greenlets, threads = Local(name=None), Greenlets(), ThreadPool()

        def sync(name: str) -> Any:
            before, local.name = local.name, name
            await_(turn())
            await_(turn())
            return before, local.name

        async def coroutine(name: str) -> Any:
            before, local.name = local.name, name
            await turn()
            return before, local.name

        run = {
            "greenlet": lambda name: greenlets.run(sync, name),
            "thread": lambda name: threads.run(sync, name),
            "coroutine": coroutine,
        }[kind]
        tasks = [asyncio.ensure_future(run(name)) for name in "abcde"]
        return list(await asyncio.gather(*tasks))

    assert asyncio.run(go()) == [(None, name) for name in "abcde"]


@pytest.mark.parametrize("kind", ["greenlet", "thread", "coroutine"])
def test_it_is_one_for_all_that_a_request_calls_and_awaits(kind: str) -> None:
    """What the controller sets is visible to code that it awaits, and the reverse."""

    async def go() -> list[Any]:
        local, seen = Local(path=()), []

        async def inside() -> None:
            local.path += ("awaited",)
            await turn()

        def sync() -> None:
            local.path += ("controller",)
            await_(inside())
            seen.append(local.path)

        async def coroutine() -> None:
            local.path += ("controller",)
            await inside()
            seen.append(local.path)

        local.path += ("middleware",)
        await {
            "greenlet": lambda: Greenlets().run(sync),
            "thread": lambda: ThreadPool().run(sync),
            "coroutine": coroutine,
        }[kind]()
        return [*seen, local.path]

    assert asyncio.run(go()) == [("middleware", "controller", "awaited")] * 2


def test_a_function_in_a_thread_is_a_part_of_it() -> None:
    local = Local(name="default")

    def work() -> str:
        seen: str = local.name
        local.name = "the thread"
        return seen

    async def go() -> tuple[str, str]:
        local.name = "me"
        return await in_thread(work), local.name

    assert asyncio.run(go()) == ("me", "the thread")


def test_a_task_begins_with_what_there_is_and_goes_its_own_way() -> None:
    local = Local(name="default")

    async def child() -> tuple[str, str]:
        begun_with = local.name
        local.name = "child"
        await turn()
        await turn()
        return begun_with, local.name

    async def go() -> Any:
        local.name = "parent"
        task = asyncio.ensure_future(child())
        await turn()
        seen = local.name
        local.name = "parent again"
        return await task, seen, local.name

    assert asyncio.run(go()) == (("parent", "child"), "parent", "parent again")


def test_a_thread_of_ones_own_sees_the_defaults() -> None:
    local, seen = Local(name="default"), []
    local.name = "me"
    thread = threading.Thread(target=lambda: seen.append(local.name))
    thread.start()
    thread.join()
    assert seen == ["default"]


def test_what_was_there_before_is_what_each_begins_with() -> None:
    local = Local()
    local.greeting = "hello"

    async def go() -> Any:
        return local.greeting

    assert asyncio.run(go()) == "hello"


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_it_is_a_place_and_no_value(duplicate: Any) -> None:
    with pytest.raises(TypeError, match="cannot be copied or pickled"):
        duplicate(Local(a=1))
