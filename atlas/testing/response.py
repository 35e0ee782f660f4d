"""What a client gets back: the names are those of httpx."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Any

from atlas.testing.addresses import URL
from atlas.testing.cookies import Cookies
from atlas.testing.decoding import decoder_for
from atlas.testing.encoding import Body
from atlas.web.exceptions import status_phrase
from atlas.web.headers import Headers

__all__ = ["AsyncStreamedResponse", "HTTPStatusError", "Response", "ResponseHeaders", "SentRequest", "StreamedResponse"]


class ResponseHeaders(Headers):
    """Header fields; ``headers[name]`` is every value of that name with commas between them (RFC 9110 5.3)."""

    __slots__ = ()

    def __getitem__(self, name: str) -> str:
        values = self.get_all(name)
        if not values:
            raise KeyError(name)
        return ", ".join(values)

    def get_list(self, name: str) -> list[str]:
        """Every value of ``name``, in order."""
        return self.get_all(name)

    def multi_items(self) -> list[tuple[str, str]]:
        """Every field, in order."""
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
        """The body, b"" if it went out piece by piece."""
        return self.body if isinstance(self.body, bytes) else b""


class HTTPStatusError(Exception):
    """What :meth:`Response.raise_for_status` raises.

    :ivar response: the response, :ivar request: what it answers.
    """

    def __init__(self, message: str, response: Response) -> None:
        super().__init__(message)
        self.response = response
        self.request = response.request


class Response:
    """A response with its whole body.

    :ivar history: the redirects that led to it. :ivar cookies: those that it sets itself.
    """

    http_version = "HTTP/1.1"

    def __init__(self, request: SentRequest, status_code: int, headers: ResponseHeaders, body: bytes | None) -> None:
        self.request = request
        self.status_code = status_code
        self.headers = headers
        self.history: list[Response] = []
        self.cookies = Cookies()
        self.cookies.keep(headers.get_all("set-cookie"), request.url)
        self._raw = body
        self._decoded: bytes | None = None

    @property
    def url(self) -> URL:
        """The address that was answered: the last one, if redirects were followed."""
        return self.request.url

    @property
    def reason_phrase(self) -> str:
        """The words that belong to the status."""
        return status_phrase(self.status_code) if self.status_code >= 400 else _phrase(self.status_code)

    @property
    def content(self) -> bytes:
        """The body without its content coding.

        :raises RuntimeError: if it is streamed, and was not read.
        """
        if self._raw is None:
            raise RuntimeError("the body is streamed: call read() first, or iterate over it")
        if self._decoded is None:
            self._decoded = decoder_for(self.headers.get("content-encoding", ""))(self._raw)
        return self._decoded

    @property
    def text(self) -> str:
        """The body as text, by the charset of the content type, else UTF-8."""
        return self.content.decode(self.encoding, "replace")

    @property
    def encoding(self) -> str:
        """The charset of the content type, else ``utf-8``."""
        field = Message()
        field["content-type"] = self.headers.get("content-type", "")
        charset = field.get_param("charset")
        return charset if isinstance(charset, str) else "utf-8"

    def json(self, **options: Any) -> Any:
        """The body as JSON; ``options`` are those of :func:`json.loads`."""
        return json.loads(self.content, **options)

    def read(self) -> bytes:
        """The whole body."""
        return self.content

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """The body in pieces of that size, or at once."""
        content = self.content
        size = chunk_size or max(len(content), 1)
        for start in range(0, len(content), size):
            yield content[start : start + size]

    @property
    def is_success(self) -> bool:
        """200 to 299."""
        return 200 <= self.status_code < 300

    @property
    def is_redirect(self) -> bool:
        """300 to 399."""
        return 300 <= self.status_code < 400

    @property
    def is_client_error(self) -> bool:
        """400 to 499."""
        return 400 <= self.status_code < 500

    @property
    def is_server_error(self) -> bool:
        """500 to 599."""
        return 500 <= self.status_code < 600

    @property
    def is_error(self) -> bool:
        """400 to 599."""
        return 400 <= self.status_code < 600

    @property
    def has_redirect_location(self) -> bool:
        """Whether it says where to go on (RFC 9110 15.4)."""
        return self.status_code in (301, 302, 303, 307, 308) and "location" in self.headers

    def raise_for_status(self) -> Response:
        """The response itself, if it is a success.

        :raises HTTPStatusError: if it is anything else; the start of the body is in the message.
        """
        if self.is_success:
            return self
        asked = f"{self.request.method} {self.url}"
        message = f"{asked} was answered with {self.status_code} {self.reason_phrase}"
        if self._raw:
            message += f": {self.text[:200].strip()}"
        raise HTTPStatusError(message, self)

    def __repr__(self) -> str:
        return f"<Response [{self.status_code} {self.reason_phrase}]>"


class StreamedResponse(Response):
    """A response whose body comes piece by piece, as the application sends it.

    :param pull: gives the next piece as it came, or None at the end.
    """

    def __init__(
        self, request: SentRequest, status_code: int, headers: ResponseHeaders, pull: Callable[[], bytes | None]
    ) -> None:
        super().__init__(request, status_code, headers, None)
        self._pull = pull

    def iter_raw(self) -> Iterator[bytes]:
        """The pieces as they were sent, with their content coding."""
        while (piece := self._pull()) is not None:
            yield piece

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """The pieces without their content coding; ``chunk_size`` gathers and cuts them."""
        cut = _Cutter(chunk_size)
        decode = decoder_for(self.headers.get("content-encoding", ""))
        for raw in self.iter_raw():
            yield from cut.feed(decode(raw))
        yield from cut.rest()

    def iter_text(self) -> Iterator[str]:
        """The pieces as text; a character that two pieces share is not torn."""
        decode = _text_decoder(self.encoding)
        for piece in self.iter_bytes():
            if text := decode(piece, False):
                yield text
        if text := decode(b"", True):
            yield text

    def iter_lines(self) -> Iterator[str]:
        """The lines, without their ends, each as soon as it is complete."""
        lines = _Lines()
        for text in self.iter_text():
            yield from lines.feed(text)
        yield from lines.rest()

    def read(self) -> bytes:
        """The rest of the body; ``content``, ``text`` and ``json()`` work afterwards."""
        if self._raw is None:
            self._raw = b"".join(self.iter_raw())
        return self.content


class AsyncStreamedResponse(Response):
    """As :class:`StreamedResponse`, in a running loop."""

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
        """The pieces as they were sent, with their content coding."""
        while (piece := await self._pull()) is not None:
            yield piece

    async def aiter_bytes(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """The pieces without their content coding; ``chunk_size`` gathers and cuts them."""
        cut = _Cutter(chunk_size)
        decode = decoder_for(self.headers.get("content-encoding", ""))
        async for raw in self.aiter_raw():
            for piece in cut.feed(decode(raw)):
                yield piece
        for piece in cut.rest():
            yield piece

    async def aiter_text(self) -> AsyncIterator[str]:
        """The pieces as text; a character that two pieces share is not torn."""
        decode = _text_decoder(self.encoding)
        async for piece in self.aiter_bytes():
            if text := decode(piece, False):
                yield text
        if text := decode(b"", True):
            yield text

    async def aiter_lines(self) -> AsyncIterator[str]:
        """The lines, without their ends, each as soon as it is complete."""
        lines = _Lines()
        async for text in self.aiter_text():
            for line in lines.feed(text):
                yield line
        for line in lines.rest():
            yield line

    async def aread(self) -> bytes:
        """The rest of the body; ``content``, ``text`` and ``json()`` work afterwards."""
        if self._raw is None:
            self._raw = b"".join([piece async for piece in self.aiter_raw()])
        return self.content


class _Cutter:
    """Passes pieces on as they are, or cuts them all to one size."""

    def __init__(self, size: int | None) -> None:
        self._size = size
        self._held = b""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        if self._size is None:
            if piece:
                yield piece
            return
        self._held += piece
        while len(self._held) >= self._size:
            yield self._held[: self._size]
            self._held = self._held[self._size :]

    def rest(self) -> Iterator[bytes]:
        if self._held:
            yield self._held


class _Lines:
    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> Iterator[str]:
        # Only these ends: str.splitlines() knows characters that are no line ends to anybody on the wire. A "\r" at
        # the end of a piece may be half of one.
        self._held += text
        held_back = "\r" if self._held.endswith("\r") else ""
        *lines, last = self._held.removesuffix("\r").replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._held = last + held_back
        yield from lines

    def rest(self) -> Iterator[str]:
        if self._held:
            yield self._held.removesuffix("\r")


def _text_decoder(encoding: str) -> Callable[[bytes, bool], str]:
    import codecs

    return codecs.getincrementaldecoder(encoding)("replace").decode


def _phrase(status_code: int) -> str:
    from http import HTTPStatus

    try:
        return HTTPStatus(status_code).phrase
    except ValueError:
        return ""
