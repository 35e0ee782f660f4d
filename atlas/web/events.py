"""Server-sent events: a response that goes on and on, one event after the other.

Source: the HTML standard, "Server-sent events" (text/event-stream).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from atlas.gateway.keep_alive import KeepAlive
from atlas.gateway.task_scope import TaskScope
from atlas.types import Event, Send
from atlas.web.response import StreamingResponse, Watch

__all__ = ["EventSourceResponse", "ServerSentEvent"]

_LINES = re.compile(r"\r\n|\r|\n")
_PING = b": ping\n\n"
_FIELDS = ("data", "event", "id", "retry", "comment")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSentEvent:
    """One event.

    :param data: a ``str`` as it is, anything else as JSON; None for an event without data, which browsers keep from
        scripts but take the ``id`` and ``retry`` of.
    :param event: its kind; scripts hear it by ``addEventListener(kind, ...)``.
    :param id: what a browser sends as ``last-event-id`` when it comes back.
    :param retry: milliseconds after which a browser comes back.
    :param comment: a line that nobody reads.
    :raises ValueError: for a line break in ``event`` or ``id``, a NUL in ``id``, a ``retry`` that is no number.
    """

    data: Any = None
    event: str | None = None
    id: str | None = None
    retry: int | None = None
    comment: str | None = None

    def __post_init__(self) -> None:
        for name, value, never in (("event", self.event, "\r\n"), ("id", self.id, "\r\n\0")):
            if value is not None and any(sign in value for sign in never):
                raise ValueError(f"server-sent event: {name} {value!r} has a character that its line cannot carry")
        if self.retry is not None and (type(self.retry) is not int or self.retry < 0):
            raise ValueError(f"server-sent event: retry: expected milliseconds, got {self.retry!r}")

    def encode(self) -> bytes:
        """The event as its lines, with the empty one that ends it."""
        lines = [f": {line}" for line in _lines(self.comment)]
        lines += [f"{name}: {value}" for name, value in (("event", self.event), ("id", self.id)) if value is not None]
        if self.retry is not None:
            lines.append(f"retry: {self.retry}")
        if self.data is not None:
            text = self.data if isinstance(self.data, str) else msgspec.json.encode(self.data).decode()
            lines += [f"data: {line}" for line in _LINES.split(text)]
        return ("\n".join(lines) + "\n\n").encode()


def _lines(text: str | None) -> list[str]:
    return [] if text is None else _LINES.split(text)


class EventSourceResponse(StreamingResponse):
    """Server-sent events for a browser's ``EventSource``.

    :param content: an async or a plain iterable of events: a ``str`` is its data, a mapping its fields (``data``
        ``event`` ``id`` ``retry`` ``comment``), or a :class:`ServerSentEvent`.
    :param ping: seconds of silence after which a comment is sent, so that nobody takes the connection for dead; None
        for never. An event in the making is not disturbed by it.
    """

    __slots__ = ("ping",)
    content_type = "text/event-stream"
    always_watched = True  # it may be silent for long, and a browser that closes its side is gone

    def __init__(
        self,
        content: AsyncIterable[Any] | Iterable[Any],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        ping: float | None = 15,
    ) -> None:
        if ping is not None and not ping > 0:
            raise ValueError(f"EventSourceResponse: ping: expected seconds or None, got {ping!r}")
        # What is stored is of no use to anybody, and a proxy that gathers pieces would keep the events back.
        fields = {"cache-control": "no-store", "x-accel-buffering": "no", **(headers or {})}
        super().__init__(content, status_code, fields)
        self.ping = ping

    def encode(self, content: Any) -> bytes:
        if isinstance(content, ServerSentEvent):
            return content.encode()
        if isinstance(content, str):
            return ServerSentEvent(data=content).encode()
        if isinstance(content, Mapping):
            unknown = [name for name in content if name not in _FIELDS]
            if unknown:
                raise TypeError(f"server-sent event: no field {unknown[0]!r}; known are {', '.join(_FIELDS)}")
            return ServerSentEvent(**content).encode()
        if content == b"":  # the body before the first event
            return b""
        raise TypeError(f"server-sent event: expected a str, a mapping or an event, got {type(content).__name__}")

    async def leave(self, send: Send) -> None:
        # That it has closed its side is all that a server may know by now: to leave is not to fail, and the response
        # comes to its end as any other. If the client is gone altogether, this says so once more.
        await send({"type": "http.response.body", "body": b""})

    async def send_pieces(self, watch: Watch, tasks: TaskScope, send: Send) -> None:
        # The first event may be long in coming, and a server may keep the head for the first piece: without one a
        # browser would not know for all that time that it is connected.
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        if self.ping is None:
            await super().send_pieces(watch, tasks, send)
            return
        keep_alive = KeepAlive(send, self.ping, self._ping)
        tasks.start(keep_alive.run())
        await super().send_pieces(watch, tasks, keep_alive.send)

    def _ping(self) -> Event:
        return {"type": "http.response.body", "body": self.filtered(_PING), "more_body": True}
