"""Requests: :class:`Request` for ``def`` controllers, :class:`AsyncRequest` for ``async def`` controllers.

Both have the same attributes and methods. Methods that may wait for the client are awaited in :class:`AsyncRequest` and
return directly in :class:`Request`. Header fields, query and cookies are parsed when they are first asked for; the body
is read once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeVar, overload

from atlas.gateway.greenlets import await_, can_wait
from atlas.web.multidict import ManyValues, MultiDict
from atlas.web.requests.charsets import checked_charset, decode_text
from atlas.web.requests.form_reader import Form
from atlas.web.requests.forms import LIMITS, FormLimits
from atlas.web.requests.request_head import RequestHead
from atlas.web.requests.uploads import AsyncUpload, Upload
from atlas.web.requests.validation import parse_json

__all__ = ["AsyncRequest", "Request"]

T = TypeVar("T")


class Request(RequestHead):
    """A request in a ``def`` controller.

    Where the controller runs in a greenlet, its methods wait for the client without blocking the event loop.
    """

    __slots__ = ()

    def body(self) -> bytes:
        """Read the whole body.

        :returns: the body; empty if there is none.
        :raises ContentTooLarge: over the limit of the route.
        :raises ClientDisconnected: if the client disconnects before the end of the body.
        :raises RuntimeError: where the controller cannot wait and the body was not read before.
        """
        if self._body is not None:
            return self._body
        if not self.may_have_body:
            return b""
        if (body := self._whole_body(self.limit_body)) is not None:
            return body
        if can_wait():
            return await_(self.read_body())
        raise RuntimeError("the body was not read before this handler was called; make it 'async def' to wait for it")

    def stream(self) -> Iterator[bytes]:
        """Iterate over the body as it arrives; it is not kept.

        Where the controller cannot wait, there is one chunk. There is none for an empty body.

        :raises ContentTooLarge: over the limit of the route.
        :raises ClientDisconnected: if the client disconnects before the end of the body.
        """
        if self._body is not None or not can_wait():
            if body := self.body():
                yield body
            return
        chunks = self._chunks()
        while (chunk := await_(_next(chunks))) is not None:
            yield chunk

    def text(self) -> str:
        """Read the body as text.

        :returns: the body, decoded as the ``charset`` of its content type says, from UTF-8 by default.
        :raises UnsupportedMediaType: if the body has a content coding; see :class:`Decompress`.
        :raises BadRequest: if it cannot be decoded. Also raises what :meth:`body` raises.
        """
        self.check_coding()
        return decode_text(self.body(), self.content_type)

    @overload
    def json(self) -> Any: ...
    @overload
    def json(self, type: type[T]) -> T: ...
    def json(self, type: Any = None) -> Any:  # noqa: A002  # the API's name
        """Read the body as JSON.

        :param type: a dataclass, a Struct, ``list[int]`` ... to validate and convert to; None for plain JSON values.
        :returns: the value.
        :raises UnsupportedMediaType: if the body has a content coding; see :class:`Decompress`.
        :raises BadRequest: if the body is not JSON.
        :raises UnprocessableContent: if the value does not have the type; its ``errors`` list path and detail.
        """
        self.check_coding()
        return parse_json(self.body(), type)

    def form(self, limits: FormLimits = LIMITS, *, charset: str | None = None) -> MultiDict:
        """Read the text fields of a form; its files are in :meth:`files`.

        :param limits: what the form may contain. It applies whether or not a middleware has read the form before.
        :param charset: the character encoding, such as ``"windows-1252"``; None, the default, for the one that the
            content type or the field ``_charset_`` names, or UTF-8.
        :returns: the fields, in their order.
        :raises UnsupportedMediaType: if the body is not a form, or has a content coding; see :class:`Decompress`.
        :raises BadRequest: if the form is malformed.
        :raises ContentTooLarge: over a limit.
        """
        return self._whole_form(limits, charset).fields

    def files(self, limits: FormLimits = LIMITS, *, charset: str | None = None) -> ManyValues[Upload]:
        """Read the files of a form, by the names of their fields.

        :param limits: what the form may contain.
        :param charset: as for :meth:`form`.
        :returns: the files, in their order. Raises what :meth:`form` raises.
        """
        return self._whole_form(limits, charset).files(Upload)

    def _whole_form(self, limits: FormLimits, charset: str | None) -> Form:
        charset = checked_charset(charset)
        if self._body is None and self.may_have_body and can_wait():
            return await_(self.read_form(limits, charset))
        return self._kept_form(limits, charset) or self._parse_form(self.body(), limits, charset)

    def disconnected(self) -> bool:
        """Return whether the client has disconnected. The body is read first.

        :raises RuntimeError: where the controller cannot wait.
        """
        return await_(self.is_disconnected())


class AsyncRequest(RequestHead):
    """A request in an ``async def`` controller: methods that may wait are awaited."""

    __slots__ = ()

    async def body(self) -> bytes:
        """Read the whole body.

        :returns: the body; empty if there is none.
        :raises ContentTooLarge: over the limit of the route.
        :raises ClientDisconnected: if the client disconnects before the end of the body.
        """
        return await self.read_body()

    def stream(self) -> AsyncIterator[bytes]:
        """Iterate over the body as it arrives; it is not kept.

        :raises ContentTooLarge: over the limit of the route.
        :raises ClientDisconnected: if the client disconnects before the end of the body.
        """
        return self._chunks()

    async def text(self) -> str:
        """Read the body as text.

        :returns: the body, decoded as the ``charset`` of its content type says, from UTF-8 by default.
        :raises UnsupportedMediaType: if the body has a content coding; see :class:`Decompress`.
        :raises BadRequest: if it cannot be decoded. Also raises what :meth:`body` raises.
        """
        self.check_coding()
        return decode_text(await self.read_body(), self.content_type)

    @overload
    async def json(self) -> Any: ...
    @overload
    async def json(self, type: type[T]) -> T: ...
    async def json(self, type: Any = None) -> Any:  # noqa: A002  # the API's name
        """Read the body as JSON.

        :param type: a dataclass, a Struct, ``list[int]`` ... to validate and convert to; None for plain JSON values.
        :returns: the value.
        :raises UnsupportedMediaType: if the body has a content coding; see :class:`Decompress`.
        :raises BadRequest: if the body is not JSON.
        :raises UnprocessableContent: if the value does not have the type; its ``errors`` list path and detail.
        """
        self.check_coding()
        return parse_json(await self.read_body(), type)

    async def form(self, limits: FormLimits = LIMITS, *, charset: str | None = None) -> MultiDict:
        """Read the text fields of a form; its files are in :meth:`files`.

        :param limits: what the form may contain. It applies whether or not a middleware has read the form before.
        :param charset: the character encoding, such as ``"windows-1252"``; None, the default, for the one that the
            content type or the field ``_charset_`` names, or UTF-8.
        :returns: the fields, in their order.
        :raises UnsupportedMediaType: if the body is not a form, or has a content coding; see :class:`Decompress`.
        :raises BadRequest: if the form is malformed.
        :raises ContentTooLarge: over a limit.
        """
        return (await self.read_form(limits, checked_charset(charset))).fields

    async def files(self, limits: FormLimits = LIMITS, *, charset: str | None = None) -> ManyValues[AsyncUpload]:
        """Read the files of a form, by the names of their fields.

        :param limits: what the form may contain.
        :param charset: as for :meth:`form`.
        :returns: the files, in their order. Raises what :meth:`form` raises.
        """
        return (await self.read_form(limits, checked_charset(charset))).files(AsyncUpload)

    async def disconnected(self) -> bool:
        """Return whether the client has disconnected. The body is read first."""
        return await self.is_disconnected()


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(chunks, None)
