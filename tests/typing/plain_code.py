"""Waiting in sync code, for a type checker. This file is checked and not run."""

from __future__ import annotations

from typing import Any, assert_type

from atlas import Local, Lock, Server, await_, in_thread
from atlas.gateway.lasgi import SyncReceive, SyncSend, SyncToASGI
from atlas.gateway.threads import ThreadPool
from atlas.types import ASGIApp, Event, Scope

lock = Lock()
current = Local(user=None)


def plain(scope: Scope, receive: SyncReceive, send: SyncSend) -> None:
    event = receive()
    assert_type(event, Event)
    assert_type(send({"type": "http.response.start", "status": 200}), None)


def serving() -> None:
    Server(plain, interface="lasgi", dev=True)
    app: ASGIApp = SyncToASGI(plain)
    Server(app)


def waiting() -> None:
    with lock as nothing:
        assert_type(nothing, None)
    assert_type(await_(in_thread(divmod, 7, 2)), tuple[int, int])
    assert_type(lock.locked(), bool)
    assert_type(lock.acquire(), None)
    lock.release()


async def coroutine() -> None:
    async with lock:
        assert_type(await ThreadPool(limit=3).run(len, "abc"), int)


def values() -> None:
    assert_type(current.user, Any)
    current.user = "ann"
    del current.user
