"""Templates as responses: complete pages, and pages that are sent while they are rendered."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast, overload

from atlas.gateway.greenlets import Greenlets, can_wait
from atlas.gateway.locks import Lock
from atlas.templates.flush import joined
from atlas.web.responses.response import HTMLResponse, Response
from atlas.web.responses.streaming import StreamingResponse

if TYPE_CHECKING:
    from atlas.web.requests.request_head import RequestHead

__all__ = ["StreamingTemplate", "render"]

T = TypeVar("T")

# A template yields a chunk for each tag and each text between tags. They are joined until they have this size.
_CHARACTERS_PER_SEND = 8192


class _Rendering(Generic[T]):
    """A call that renders. If the caller cannot wait and the template may, it runs in a greenlet.

    If a function of the template then waits, the call is suspended until :meth:`finish` is awaited. A response that is
    kept and returned for several requests has one rendering.
    """

    def __init__(self, request: RequestHead, render: Callable[[], T]) -> None:
        self._rest: Coroutine[Any, Any, T] | None = None
        self._failed = False
        self._lock: Lock | None = None
        self.streamed = False
        """Whether a response has begun to send what is rendered piece by piece."""
        self.value: T | None = None
        greenlets: Greenlets = request.app.greenlets
        if can_wait() or not request.app.templates.may_wait:
            self.value = render()
            return
        pool = greenlets.pool
        greenlet = pool.begin(render, ())
        if greenlet.done:
            self.value = pool.finish(greenlet)
        else:
            self._rest, self._lock = pool.join(greenlet), Lock()

    @property
    def waits(self) -> bool:
        """Whether the call was suspended, and its result is that of :meth:`finish`."""
        return self._lock is not None

    async def finish(self) -> T:
        """Return the result of the call, after its end.

        :raises RuntimeError: if it has failed for another request.
        """
        assert self._lock is not None
        async with self._lock:
            rest, self._rest = self._rest, None
            if rest is not None:
                self._failed = True
                self.value = await rest
                self._failed = False
        if self._failed:
            raise RuntimeError("the page was not rendered to its end for an earlier request: render() it again")
        return cast(T, self.value)


class _Page(HTMLResponse):
    """A page whose template waits, rendered by an ``async def`` controller. It is completed after the controller has
    returned it."""

    __slots__ = ("_rendering",)

    def __init__(
        self, rendering: _Rendering[str], status_code: int, headers: Mapping[str, str] | None, content_type: str
    ) -> None:
        super().__init__("", status_code, headers, content_type=content_type)
        self._rendering = rendering
        self.pending = True

    async def complete(self, request: Any) -> Response:
        """Return the rendered page: a copy, because this one may be returned for other requests, too."""
        text = await self._rendering.finish()
        response = copy(self)
        response.body, response.pending = self.encode(text), False
        return response


class StreamingTemplate(StreamingResponse):
    """A page that is sent while it is rendered, for templates that are long or slow.

    The first part is rendered at once: an exception there becomes an error page. A later exception aborts the response.

    :param request: the current request.
    :param name: the template, relative to the template folders.
    :param context: the variables, as for :func:`render`; default none.
    :param status_code: default 200.
    :param headers: header fields; default none.
    :param content_type: the value of ``content-type``, as for :func:`render`.
    :param block: the name of a block; None, the default, for the whole template.
    :raises jinja2.TemplateError: if the template is missing, or fails in its first part.
    """

    __slots__ = ("_rendering",)

    def __init__(
        self,
        request: RequestHead,
        name: str,
        context: Mapping[str, Any] | None = None,
        *,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = None,
        block: str | None = None,
    ) -> None:
        kind = _content_type(content_type, headers)
        pieces = request.app.templates.chunks(request, name, context, block, content_type=kind)
        chunks = joined(pieces, _CHARACTERS_PER_SEND)
        self._rendering = _Rendering(request, lambda: next(chunks))
        super().__init__(_Chunks(self._rendering.value or "", chunks), status_code, headers, content_type=content_type)
        self._once = None  # complete() has a check of its own
        if self._rendering.waits:
            self.body_iterator = chunks

    async def complete(self, request: Any) -> Response:
        """Render the first part, if it waits; see :meth:`StreamingResponse.complete`.

        :raises RuntimeError: if the page was sent before: it is rendered once, and nothing of it is kept.
        """
        if request.method != "HEAD":
            if self._rendering.streamed:
                raise RuntimeError(
                    "a streamed page can be sent once: render() it for each request, or without stream=True"
                )
            self._rendering.streamed = True
        if not self._rendering.waits:
            return await super().complete(request)
        first = await self._rendering.finish()
        response = copy(self)
        response.body_iterator = _Chunks(first, cast("Generator[str, None, None]", self.body_iterator))
        return await StreamingResponse.complete(response, request)


class _Chunks:
    """Iterates over the first chunk and those of a generator that has begun, and closes that.

    :param first: the first chunk.
    :param others: yields the others.
    """

    __slots__ = ("_first", "_others")

    def __init__(self, first: str, others: Generator[str, None, None]) -> None:
        self._first: str | None = first
        self._others = others

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        first, self._first = self._first, None
        return next(self._others) if first is None else first

    def close(self) -> None:
        """Close the generator."""
        self._others.close()


@overload
def render(
    request: RequestHead,
    name: str,
    context: Mapping[str, Any] | None = None,
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
    content_type: str | None = None,
    block: str | None = None,
    stream: Literal[False] = False,
) -> HTMLResponse: ...
@overload
def render(
    request: RequestHead,
    name: str,
    context: Mapping[str, Any] | None = None,
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
    content_type: str | None = None,
    block: str | None = None,
    stream: Literal[True],
) -> StreamingTemplate: ...
def render(
    request: RequestHead,
    name: str,
    context: Mapping[str, Any] | None = None,
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
    content_type: str | None = None,
    block: str | None = None,
    stream: bool = False,
) -> HTMLResponse | StreamingTemplate:
    """Render a template as a response.

    What the template prints is escaped, whatever its name is, if the response is HTML or XML by its content type. This
    includes what it extends, includes and imports.

    :param request: the current request.
    :param name: the template, relative to the template folders.
    :param context: the variables, in addition to those of :meth:`Templates.render`; default none.
    :param status_code: default 200.
    :param headers: header fields; default none.
    :param content_type: the value of ``content-type``; None, the default, for that of ``headers``, or else
        ``text/html; charset=utf-8``. With a type such as ``text/plain`` nothing is escaped.
    :param block: the name of a block, to render a part of a page; None, the default, for the whole template.
    :param stream: whether the page is sent while it is rendered, default False; see :class:`StreamingTemplate`.
    :raises jinja2.TemplateError: if the template is missing or invalid.
    :raises LookupError: if the template has no such block.
    """
    if stream:
        return StreamingTemplate(
            request, name, context, status_code=status_code, headers=headers, content_type=content_type, block=block
        )
    templates = request.app.templates
    kind = _content_type(content_type, headers)
    if not templates.may_wait:
        text = templates.render(request, name, context, block, content_type=kind)
        return HTMLResponse(text, status_code, headers, content_type=kind)
    rendering = _Rendering(request, lambda: templates.render(request, name, context, block, content_type=kind))
    if rendering.waits:
        return _Page(rendering, status_code, headers, kind)
    return HTMLResponse(rendering.value, status_code, headers, content_type=kind)


def _content_type(content_type: str | None, headers: Mapping[str, str] | None) -> str:
    """Return the content type of a response. As in a Response, that of the header fields takes precedence."""
    for name, value in (headers or {}).items():
        if name.lower() == "content-type":
            return value
    return HTMLResponse.content_type if content_type is None else content_type
