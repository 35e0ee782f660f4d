"""Jinja2 templates: the only module that knows Jinja2. It is imported when templates are first used."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast, overload

import jinja2

from atlas.gateway.greenlets import Greenlets, await_, can_wait
from atlas.web.controllers import is_async
from atlas.web.requests.request import AsyncRequest, Request
from atlas.web.responses.response import HTMLResponse, Response
from atlas.web.responses.streaming import StreamingResponse

if TYPE_CHECKING:
    from atlas.web.requests.request import RequestHead

__all__ = ["Missing", "StreamingTemplate", "TemplatePlace", "Templates", "render", "template_place"]

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
Processor = Callable[[Any], Mapping[str, Any]]

# A template comes in a piece for each tag and each text between them; sent one by one they would cost more than they
# are worth.
_PIECES_AT_ONCE = 64


class Missing(jinja2.StrictUndefined):
    """A variable that is not there: it may be asked for in a condition, but never written to the page as nothing."""

    __slots__ = ()

    def __bool__(self) -> bool:  # type: ignore[override]  # the parent's refuses, and says so in its type
        return False


@dataclass(frozen=True, slots=True)
class TemplatePlace:
    """Where in a template something went wrong.

    :ivar path: its file; for a page from a string ``<template>``. :ivar line: counted from 1. :ivar text: that line.
    """

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"in template {self.path}, line {self.line}: {self.text.strip()}"


class Templates:
    """The templates of an application.

    :param folders: where they are looked for, in this order.
    :param reload: look for changed files at each rendering.

    ``globals`` and ``filters`` are dicts to put things in. A context processor gives variables to every template. All
    of these functions may be ``def``, and wait, or ``async def``, also where an ``async def`` controller renders.
    """

    def __init__(self, folders: Sequence[Path], *, reload: bool = False) -> None:
        self.environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader([str(folder) for folder in folders]),
            autoescape=jinja2.select_autoescape(("html", "htm", "xhtml", "xml", "svg"), default_for_string=True),
            undefined=Missing,
            auto_reload=reload,
        )
        self._functions = [_Functions(self.environment.globals), _Functions(self.environment.filters)]
        self.environment.globals, self.environment.filters = self._functions
        dict.update(self.environment.globals, url_for=_url_for, flashes=_flashes)
        self._folders = [str(folder) for folder in folders]
        self._processors: list[Processor] = []

    @property
    def may_wait(self) -> bool:
        """Whether there are functions that may wait while a template is rendered."""
        return bool(self._processors) or any(each.may_wait for each in self._functions)

    @property
    def globals(self) -> dict[str, Any]:
        """What every template can name."""
        return self.environment.globals

    @property
    def filters(self) -> dict[str, Callable[..., Any]]:
        """What every template can write behind a ``|``."""
        return self.environment.filters

    def filter(self, name: str) -> Callable[[F], F]:
        """Decorator: the function is the filter of that name."""

        def add(function: F) -> F:
            self.filters[name] = function
            return function

        return add

    def context_processor(self, function: F) -> F:
        """Decorator: ``function(request)`` gives variables to every template; those of a page take precedence."""
        self._processors.append(_processor(function))
        return function

    def render(
        self, request: RequestHead, name: str, context: Mapping[str, Any] | None = None, block: str | None = None
    ) -> str:
        """A template, or one block of it, as text.

        It sees the context, what context processors give, ``request``, ``csrf_token``, ``url_for`` and ``flashes()``.

        :raises jinja2.TemplateError: if it is missing or wrong. Whatever is raised in a template carries its place:
            see :func:`template_place`.
        :raises LookupError: if it has no such block.
        """
        return "".join(self.pieces(request, name, context, block))

    def pieces(
        self, request: RequestHead, name: str, context: Mapping[str, Any] | None = None, block: str | None = None
    ) -> Iterator[str]:
        """The same piece by piece, as the template makes them; raises as :meth:`render` does, at the first piece."""
        try:
            template = self.environment.get_template(name)
            values = self._values(request, context or {})
            yield from template.generate(values) if block is None else self._block(template, block, values)
        except jinja2.TemplateNotFound as error:
            self._explain(error)
            _note_place(error)
            raise
        except Exception as error:
            _note_place(error)
            raise

    def _block(self, template: jinja2.Template, block: str, values: dict[str, Any]) -> Iterator[str]:
        if block not in template.blocks:
            known = ", ".join(sorted(template.blocks)) or "none at all"
            raise LookupError(f"template {template.name!r} has no block {block!r}, only {known}")
        try:
            yield from template.blocks[block](template.new_context(values))
        except Exception:
            self.environment.handle_exception()  # as Template.generate does: the traceback names the template's lines

    def _values(self, request: RequestHead, context: Mapping[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {"request": request}
        token = request.state.get("csrf_token")
        if token is None:
            token = Missing(hint="csrf_token: there is no CSRF middleware around this route", name="csrf_token")
        values["csrf_token"] = token
        for processor in self._processors:
            values.update(processor(request))
        values.update(context)
        return values

    def _explain(self, error: jinja2.TemplateNotFound) -> None:
        """Say where was looked, and what there is that is called nearly so."""
        close = get_close_matches(str(error.name), self.environment.list_templates(), 1) if self._folders else []
        looked = ", ".join(self._folders) or "no folder: there is no 'templates' beside the application"
        error.add_note(f"looked for {error.name!r} in {looked}" + (f"; did you mean {close[0]!r}?" if close else ""))


def template_place(error: BaseException) -> TemplatePlace | None:
    """Where in a template an exception was raised; None if that was not in one.

    The innermost template counts: the one that was included, or the layout's block that was filled.
    """
    if isinstance(error, jinja2.TemplateSyntaxError):
        text = (error.source or "").splitlines()[error.lineno - 1 : error.lineno]
        return TemplatePlace(error.filename or "<template>", error.lineno, "".join(text))
    found, trace = None, error.__traceback__
    while trace is not None:
        # Jinja2 puts frames of its own in the place of those of compiled templates, with this variable (jinja2.debug).
        if "__jinja_exception__" in trace.tb_frame.f_globals:
            found = trace
        trace = trace.tb_next
    if found is None:
        return None
    path, line = found.tb_frame.f_code.co_filename, found.tb_lineno
    return TemplatePlace(path, line, linecache.getline(path, line))


def _note_place(error: Exception) -> None:
    place = template_place(error)
    if place is not None:
        error.add_note(str(place))


@jinja2.pass_context
def _url_for(context: jinja2.runtime.Context, name: str, /, **params: Any) -> str:
    return str(context["request"].url_for(name, **params))


@jinja2.pass_context
def _flashes(context: jinja2.runtime.Context) -> Any:
    """The messages that were kept for this page. They are gone with it."""
    return context["request"].session.flashes()


class _Functions(dict[str, Any]):
    """Globals or filters by name. An ``async def`` becomes a function that waits for its result."""

    may_wait = False

    def __setitem__(self, name: str, value: Any) -> None:
        self.may_wait = self.may_wait or callable(value)
        super().__setitem__(name, _waiting(value) if callable(value) and is_async(value) else value)

    def update(self, *given: Any, **named: Any) -> None:
        for name, value in dict(*given, **named).items():
            self[name] = value

    def setdefault(self, name: str, default: Any = None) -> Any:
        if name not in self:
            self[name] = default
        return self[name]


def _waiting(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)  # Jinja2 keeps in an attribute what else a function is called with
    def call(*arguments: Any, **options: Any) -> Any:
        return await_(function(*arguments, **options))

    return call


def _processor(function: Processor) -> Processor:
    """A context processor with the kind of request that belongs to its own kind."""
    if is_async(function):
        return lambda request: await_(cast(Any, function(request.seen_as(AsyncRequest))))
    return lambda request: function(request.seen_as(Request))


class _Rendering(Generic[T]):
    """A call that renders. In sync code that can wait it is just made; in a coroutine, which cannot, in a greenlet.

    Where a function of the template waits then, the call stands still until :meth:`finish` is awaited.
    """

    def __init__(self, request: RequestHead, render: Callable[[], T]) -> None:
        self._rest: Coroutine[Any, Any, T] | None = None
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
            self._rest = pool.join(greenlet)

    @property
    def waits(self) -> bool:
        return self._rest is not None

    async def finish(self) -> T:
        assert self._rest is not None
        rest, self._rest = self._rest, None
        return await rest


class _Page(HTMLResponse):
    """A page whose template waits for something while an ``async def`` controller renders it.

    It is complete when the controller has returned it.
    """

    __slots__ = ("_rendering",)

    def __init__(self, rendering: _Rendering[str], status_code: int, headers: Mapping[str, str] | None) -> None:
        super().__init__("", status_code, headers)
        self._rendering = rendering
        self.pending = True

    async def complete(self, request: Any) -> Response:
        self.body = self.encode(await self._rendering.finish())
        self.pending = False
        return self


class StreamingTemplate(StreamingResponse):
    """A page that is sent while it is rendered, for one that is long or slow to make.

    Its beginning is rendered at once: what goes wrong there is an error page. Behind it the response can only be cut.

    :param name: relative to the template folders. :param context: as for :func:`render`.
    :raises jinja2.TemplateError: if it is missing, or wrong at its beginning.
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
        block: str | None = None,
    ) -> None:
        pieces = _gathered(request.app.templates.pieces(request, name, context, block))
        self._rendering = _Rendering(request, lambda: next(pieces))
        super().__init__(_behind(self._rendering.value or "", pieces), status_code, headers)
        if self._rendering.waits:
            self.pieces = pieces
            self.pending = True

    async def complete(self, request: Any) -> Response:
        self.pieces = _behind(await self._rendering.finish(), cast("Iterator[str]", self.pieces))
        self.pending = False
        return self


def _behind(first: str, others: Iterator[str]) -> Iterator[str]:
    yield first
    yield from others


def _gathered(pieces: Iterator[str]) -> Iterator[str]:
    together: list[str] = []
    for piece in pieces:
        together.append(piece)
        if len(together) == _PIECES_AT_ONCE:
            yield "".join(together)
            together.clear()
    yield "".join(together)


@overload
def render(
    request: RequestHead,
    name: str,
    context: Mapping[str, Any] | None = None,
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
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
    block: str | None = None,
    stream: bool = False,
) -> HTMLResponse | StreamingTemplate:
    """A page from a template.

    :param name: relative to the template folders.
    :param context: the variables of the template, beside those of :meth:`Templates.render`.
    :param block: only this block of it: a part of a page for a script that asked for it.
    :param stream: send it while it is rendered, see :class:`StreamingTemplate`.
    :raises jinja2.TemplateError: if it is missing or wrong.
    """
    if stream:
        return StreamingTemplate(request, name, context, status_code=status_code, headers=headers, block=block)
    templates = request.app.templates
    if not templates.may_wait:
        return HTMLResponse(templates.render(request, name, context, block), status_code, headers)
    rendering = _Rendering(request, lambda: templates.render(request, name, context, block))
    if rendering.waits:
        return _Page(rendering, status_code, headers)
    return HTMLResponse(rendering.value, status_code, headers)
