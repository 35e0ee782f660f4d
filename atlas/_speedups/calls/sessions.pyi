from asyncio import Task
from collections.abc import Awaitable
from typing import Any

from atlas._speedups.http.exchange import Gateway
from atlas._speedups.websocket.session import WebSocketSession

async def await_it(awaitable: Awaitable[object]) -> None: ...
def ended(gateway: Gateway, session: WebSocketSession, task: Task[Any]) -> None: ...
