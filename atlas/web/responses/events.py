"""Server-sent events: a response that streams one event after the other.

Source: the HTML standard, "Server-sent events" (``text/event-stream``).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from atlas.web.json_encoding import encode_json
from atlas.web.responses.body_stream import StreamOptions
from atlas.web.responses.streaming import StreamingResponse

__all__ = ["EventSourceResponse", "ServerSentEvent"]

_LINES = re.compile(r"\r\n|\r|\n")
_PING_COMMENT = b": ping\n\n"
_OPEN_AFTER = 0.1  # seconds: a browser opens the stream when the head is there, before the first event
_FIELDS = ("data", "event", "id", "retry", "comment")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSentEvent:
    """One event of a :class:`EventSourceResponse`.

    :param data: the data: a ``str`` as it is, any other value as JSON. None, the default, for no data: browsers do not
        dispatch such an event, but use its ``id`` and ``retry``.
    :param event: the event type, for ``addEventListener``; None for ``message``.
    :param id: the event ID, which the browser sends as ``last-event-id`` when it reconnects; None for no ID.
    :param retry: the reconnection time in milliseconds; None to leave it to the browser.
    :param comment: text that browsers ignore; None for no comment.
    :raises ValueError: for a line break in ``event`` or ``id``, a NUL in ``id``, or a ``retry`` that is not a number of
        milliseconds.
    """

    data: Any = None
    event: str | None = None
    id: str | None = None
    retry: int | None = None
    comment: str | None = None

    def __post_init__(self) -> None:
        for name, value, forbidden in (("event", self.event, "\r\n"), ("id", self.id, "\r\n\0")):
            if value is not None and any(character in value for character in forbidden):
                raise ValueError(f"server-sent event: {name} {value!r} has a character that its line cannot carry")
        if self.retry is not None and (type(self.retry) is not int or self.retry < 0):
            raise ValueError(f"server-sent event: retry: expected milliseconds, got {self.retry!r}")

    def encode(self) -> bytes:
        """Encode the event as UTF-8.

        :returns: its lines, with the empty line that ends an event.
        :raises TypeError: if ``data`` has no JSON form.
        """
        lines = [f": {line}" for line in _lines(self.comment)]
        lines += [f"{name}: {value}" for name, value in (("event", self.event), ("id", self.id)) if value is not None]
        if self.retry is not None:
            lines.append(f"retry: {self.retry}")
        if self.data is not None:
            text = self.data if isinstance(self.data, str) else encode_json(self.data).decode()
            lines += [f"data: {line}" for line in _LINES.split(text)]
        return ("\n".join(lines) + "\n\n").encode()


def _lines(text: str | None) -> list[str]:
    return [] if text is None else _LINES.split(text)


class EventSourceResponse(StreamingResponse):
    """A stream of server-sent events, for the ``EventSource`` of a browser.

    The response starts with the first event, or after 0.1 s without one. An exception before that is answered by an
    error page.

    :param content: an async or a sync iterable of events: a :class:`ServerSentEvent`, a ``str`` as the data of an
        event, or a mapping of the fields of an event (``data``, ``event``, ``id``, ``retry``, ``comment``).
    :param status_code: the status code, 200 by default.
    :param headers: more header fields.
    :param ping: seconds without an event after which a comment is sent, so that proxies keep the connection open; 15 by
        default, None for no comments.
    :raises ValueError: for a ``ping`` that is not above zero.
    """

    __slots__ = ("ping",)
    content_type = "text/event-stream"

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
        # A stored stream is of no use, and a proxy that buffers the response would delay the events
        # (x-accel-buffering).
        super().__init__(content, status_code, {"cache-control": "no-store", "x-accel-buffering": "no"})
        self.headers.update(headers or {})
        self.ping = ping

    def encode(self, content: Any) -> bytes:
        """Encode one item of the iterable.

        :param content: the event.
        :returns: the event as bytes.
        :raises TypeError: for another type, or a mapping with an unknown field.
        """
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

    def stream_options(self) -> StreamOptions:
        """Return how the stream behaves while no event is due."""
        return StreamOptions(watched=True, open_after=_OPEN_AFTER, ping=self.ping, ping_chunk=_PING_COMMENT)
