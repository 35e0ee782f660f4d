import asyncio
from typing import Any

import pytest

from atlas import ClientDisconnected
from atlas.gateway.task_scope import TaskScope
from atlas.web.responses.disconnect_watcher import DisconnectWatcher

OLD, NEW = {"spec_version": "2.3"}, {"spec_version": "2.4"}


@pytest.mark.parametrize(
    ("scope", "always", "sent", "watches"),
    [
        ({"method": "GET", "asgi": OLD}, False, False, True),
        ({"method": "GET", "asgi": NEW}, False, True, False),
        ({"method": "GET", "asgi": NEW}, True, False, True),
        ({"method": "POST", "asgi": OLD}, False, False, False),
        ({"method": "POST", "asgi": OLD}, False, True, True),
        ({"method": "POST", "asgi": OLD, "atlas.body": "read"}, False, False, True),
        ({"method": "GET", "asgi": OLD, "atlas.body": "reading"}, False, True, False),
    ],
)
def test_when_it_awaits_the_disconnect(scope: dict[str, Any], always: bool, sent: bool, watches: bool) -> None:
    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def run() -> None:
        async with TaskScope() as tasks:
            watcher = DisconnectWatcher(tasks, scope, receive, always=always)
            watcher.begin(sent)
            for _ in range(3):
                await asyncio.sleep(0)

    if watches:
        with pytest.raises(ClientDisconnected):
            asyncio.run(run())
    else:
        asyncio.run(run())
