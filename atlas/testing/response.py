"""The responses of the test clients; their attributes are those of httpx."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Any

from atlas.testing.cookies import Cookies
from atlas.testing.decoding import decoder_for
from atlas.testing.encoding import Body
from atlas.testing.urls import URL
from atlas.web.exceptions import status_phrase
from atlas.web.headers import Headers

__all__ = ["AsyncStreamedResponse", "HTTPStatusError", "Response", "ResponseHeaders", "SentRequest", "StreamedResponse"]


class ResponseHeaders(Headers):
    """Header fields; ``headers[name]`` joins the values of a name with commas (RFC 9110, section 5.3)."""

    __slots__ = ()

    def __getitem__(self, name: str) -> str:
        values = self.get_all(name)
        if not values:
            raise KeyError(name)
        return ", ".join(values)

    def get_list(self, name: str) -> list[str]:
        """Return the values of ``name``, in order."""
        return self.get_all(name)

    def multi_items(self) -> list[tuple[str, str]]:
        """Return all fields, in order."""
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.raw]


@dataclass(slots=True)
class SentRequest:
    """A request as it was sent."""

    method: str
    url: URL
    headers: ResponseHeaders
    body: Body

    @property
    def content(self) -> bytes:
        """The body; empty if it was sent in chunks."""
        return self.body if isinstance(self.body, bytes) else b""


class HTTPStatusError(Exception):
    """Raised by :meth:`Response.raise_for_status`.

    :ivar response: the response.
    :ivar request: its request.
    """

    def __init__(self, message: str, response: Response) -> None:
        super().__init__(message)
        self.response = response
        self.request = response.request


class Response:
    """A response with its body.

    :ivar history: the redirect responses before it.
    :ivar cookies: the cookies of its ``set-cookie`` fields.
    """

    http_version = "HTTP/1.1"

    def __init__(self, request: SentRequest, status_code: int, headers: ResponseHeaders, body: bytes | None) -> None:
        self.request = request
        self.status_code = status_code
        self.headers = headers
        self.history: list[Response] = []
        self.cookies = Cookies()
        self.cookies.extract(headers.get_all("set-cookie"), request.url)
        self._raw = body
        self._decoded: bytes | None = None

    @property
    def url(self) -> URL:
        """The URL of the request, after redirects."""
        return self.request.url

    @property
    def reason_phrase(self) -> str:
        """The reason phrase of the status."""
        return status_phrase(self.status_code) if self.status_code >= 400 else _phrase(self.status_code)

    @property
    def content(self) -> bytes:
        """The body, decoded according to its ``content-encoding``.

        :raises RuntimeError: if the response is streamed and the body was not read.
        """
        if self._raw is None:
            raise RuntimeError("the body is streamed: call read() first, or iterate over it")
        if self._decoded is None:
            self._decoded = decoder_for(self.headers.get("content-encoding", ""))(self._raw)
        return self._decoded

    @property
    def text(self) -> str:
        """The body as text, in the charset of the content type or UTF-8."""
        return self.content.decode(self.encoding, "replace")

    @property
    def encoding(self) -> str:
        """The charset of the content type, or ``utf-8``."""
        field = Message()
        field["content-type"] = self.headers.get("content-type", "")
        charset = field.get_param("charset")
        return charset if isinstance(charset, str) else "utf-8"

    def json(self, **options: Any) -> Any:
        """Parse the body as JSON; ``options`` are those of :func:`json.loads`."""
        return json.loads(self.content, **options)

    def read(self) -> bytes:
        """Return the body."""
        return self.content

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Iterate over the body in chunks of a size, or in one chunk."""
        content = self.content
        size = chunk_size or max(len(content), 1)
        for start in range(0, len(content), size):
            yield content[start : start + size]

    @property
    def is_success(self) -> bool:
        """Whether the status is 200 to 299."""
        return 200 <= self.status_code < 300

    @property
    def is_redirect(self) -> bool:
        """Whether the status is 300 to 399."""
        return 300 <= self.status_code < 400

    @property
    def is_client_error(self) -> bool:
        """Whether the status is 400 to 499."""
        return 400 <= self.status_code < 500

    @property
    def is_server_error(self) -> bool:
        """Whether the status is 500 to 599."""
        return 500 <= self.status_code < 600

    @property
    def is_error(self) -> bool:
        """Whether the status is 400 to 599."""
        return 400 <= self.status_code < 600

    @property
    def has_redirect_location(self) -> bool:
        """Whether it is a redirect with a ``location`` (RFC 9110, section 15.4)."""
        return self.status_code in (301, 302, 303, 307, 308) and "location" in self.headers

    def raise_for_status(self) -> Response:
        """Return the response if its status is 200 to 299.

        :raises HTTPStatusError: if it is not; the message contains the start of the body.
        """
        if self.is_success:
            return self
        message = f"{self.request.method} {self.url}: {self.status_code} {self.reason_phrase}"
        if self._raw:
            message += f": {self.text[:200].strip()}"
        raise HTTPStatusError(message, self)

    def __repr__(self) -> str:
        return f"<Response [{self.status_code} {self.reason_phrase}]>"


class StreamedResponse(Response):
    """A response whose body is read in chunks, while the application sends it.

    :param pull: returns the next chunk, not decoded; None after the last one.
    """

    def __init__(
        self, request: SentRequest, status_code: int, headers: ResponseHeaders, pull: Callable[[], bytes | None]
    ) -> None:
        super().__init__(request, status_code, headers, None)
        self._pull = pull

    def iter_raw(self) -> Iterator[bytes]:
        """Iterate over the chunks as they were sent, not decoded."""
        while (chunk := self._pull()) is not None:
            yield chunk

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Iterate over the decoded chunks, or over chunks of a size."""
        chunker = _ByteChunker(chunk_size)
        decode = decoder_for(self.headers.get("content-encoding", ""))
        for raw in self.iter_raw():
            yield from chunker.feed(decode(raw))
        yield from chunker.flush()

    def iter_text(self) -> Iterator[str]:
        """Iterate over the chunks as text. A character may span several chunks."""
        decode = _text_decoder(self.encoding)
        for chunk in self.iter_bytes():
            if text := decode(chunk, False):
                yield text
        if text := decode(b"", True):
            yield text

    def iter_lines(self) -> Iterator[str]:
        """Iterate over the lines, without their ends, each as soon as it is complete."""
        decoder = _LineDecoder()
        for text in self.iter_text():
            yield from decoder.feed(text)
        yield from decoder.flush()

    def read(self) -> bytes:
        """Read the rest of the body. Afterwards ``content``, ``text`` and ``json()`` work."""
        if self._raw is None:
            self._raw = b"".join(self.iter_raw())
        return self.content


class AsyncStreamedResponse(Response):
    """A :class:`StreamedResponse` for coroutines."""

    def __init__(
        self,
        request: SentRequest,
        status_code: int,
        headers: ResponseHeaders,
        pull: Callable[[], Awaitable[bytes | None]],
    ) -> None:
        super().__init__(request, status_code, headers, None)
        self._pull = pull

    async def aiter_raw(self) -> AsyncIterator[bytes]:
        """Iterate over the chunks as they were sent, not decoded."""
        while (chunk := await self._pull()) is not None:
            yield chunk

    async def aiter_bytes(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """Iterate over the decoded chunks, or over chunks of a size."""
        chunker = _ByteChunker(chunk_size)
        decode = decoder_for(self.headers.get("content-encoding", ""))
        async for raw in self.aiter_raw():
            for chunk in chunker.feed(decode(raw)):
                yield chunk
        for chunk in chunker.flush():
            yield chunk

    async def aiter_text(self) -> AsyncIterator[str]:
        """Iterate over the chunks as text. A character may span several chunks."""
        decode = _text_decoder(self.encoding)
        async for chunk in self.aiter_bytes():
            if text := decode(chunk, False):
                yield text
        if text := decode(b"", True):
            yield text

    async def aiter_lines(self) -> AsyncIterator[str]:
        """Iterate over the lines, without their ends, each as soon as it is complete."""
        decoder = _LineDecoder()
        async for text in self.aiter_text():
            for line in decoder.feed(text):
                yield line
        for line in decoder.flush():
            yield line

    async def aread(self) -> bytes:
        """Read the rest of the body. Afterwards ``content``, ``text`` and ``json()`` work."""
        if self._raw is None:
            self._raw = b"".join([chunk async for chunk in self.aiter_raw()])
        return self.content


class _ByteChunker:
    """Returns chunks unchanged, or in one size."""

    def __init__(self, size: int | None) -> None:
        self._size = size
        self._buffer = b""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        if self._size is None:
            if chunk:
                yield chunk
            return
        self._buffer += chunk
        while len(self._buffer) >= self._size:
            yield self._buffer[: self._size]
            self._buffer = self._buffer[self._size :]

    def flush(self) -> Iterator[bytes]:
        if self._buffer:
            yield self._buffer


class _LineDecoder:
    """Splits text into lines that end in LF, CR or CRLF; ``str.splitlines()`` also splits at other characters."""

    def __init__(self) -> None:
        self._buffer = ""

    def feed(self, text: str) -> Iterator[str]:
        self._buffer += text
        cr = "\r" if self._buffer.endswith("\r") else ""  # it may be the first half of a CRLF
        *lines, last = self._buffer.removesuffix("\r").replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._buffer = last + cr
        yield from lines

    def flush(self) -> Iterator[str]:
        if self._buffer:
            yield self._buffer.removesuffix("\r")


def _text_decoder(encoding: str) -> Callable[[bytes, bool], str]:
    import codecs

    return codecs.getincrementaldecoder(encoding)("replace").decode


def _phrase(status_code: int) -> str:
    from http import HTTPStatus

    try:
        return HTTPStatus(status_code).phrase
    except ValueError:
        return ""
