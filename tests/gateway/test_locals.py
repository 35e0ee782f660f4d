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
        local, greenlets, threads = Local(who=None), Greenlets(), ThreadPool()

        def plain(name: str) -> Any:
            before, local.who = local.who, name
            await_(turn())
            await_(turn())
            return before, local.who

        async def coroutine(name: str) -> Any:
            before, local.who = local.who, name
            await turn()
            return before, local.who

        run = {
            "greenlet": lambda name: greenlets.run(plain, name),
            "thread": lambda name: threads.run(plain, name),
            "coroutine": coroutine,
        }[kind]
        tasks = [asyncio.ensure_future(run(name)) for name in "abcde"]
        return list(await asyncio.gather(*tasks))

    assert asyncio.run(go()) == [(None, name) for name in "abcde"]


@pytest.mark.parametrize("kind", ["greenlet", "thread", "coroutine"])
def test_it_is_one_for_all_that_a_request_calls_and_awaits(kind: str) -> None:
    """Both ways: what the controller sets is seen in what it awaits, and the other way round, and afterwards."""

    async def go() -> list[Any]:
        local, seen = Local(path=()), []

        async def inside() -> None:
            local.path += ("awaited",)
            await turn()

        def plain() -> None:
            local.path += ("controller",)
            await_(inside())
            seen.append(local.path)

        async def coroutine() -> None:
            local.path += ("controller",)
            await inside()
            seen.append(local.path)

        local.path += ("middleware",)
        await {
            "greenlet": lambda: Greenlets().run(plain),
            "thread": lambda: ThreadPool().run(plain),
            "coroutine": coroutine,
        }[kind]()
        return [*seen, local.path]

    assert asyncio.run(go()) == [("middleware", "controller", "awaited")] * 2


def test_a_function_in_a_thread_is_a_part_of_it() -> None:
    local = Local(who="nobody")

    def work() -> str:
        seen: str = local.who
        local.who = "the thread"
        return seen

    async def go() -> tuple[str, str]:
        local.who = "me"
        return await in_thread(work), local.who

    assert asyncio.run(go()) == ("me", "the thread")


def test_a_task_begins_with_what_there_is_and_goes_its_own_way() -> None:
    local = Local(who="nobody")

    async def child() -> tuple[str, str]:
        begun_with = local.who
        local.who = "child"
        await turn()
        await turn()
        return begun_with, local.who

    async def go() -> Any:
        local.who = "parent"
        task = asyncio.ensure_future(child())
        await turn()
        seen = local.who
        local.who = "parent again"
        return await task, seen, local.who

    assert asyncio.run(go()) == (("parent", "child"), "parent", "parent again")


def test_a_thread_of_ones_own_sees_the_defaults() -> None:
    local, seen = Local(who="nobody"), []
    local.who = "me"
    thread = threading.Thread(target=lambda: seen.append(local.who))
    thread.start()
    thread.join()
    assert seen == ["nobody"]


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
