"""ASGI events and applications that are nothing but a list of them."""

from __future__ import annotations

from typing import Any

START = {"type": "http.response.start", "status": 200, "headers": []}


def sending(*events: Any) -> Any:
    """An application that sends *events*."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for event in events:
            await send(dict(event))

    return app


def start(*headers: tuple[Any, Any], status: Any = 200) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(data: bytes = b"", *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}
