"""Jinja2 templates. This is the only module that imports Jinja2; it is imported when templates are first used."""

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
from atlas.web.json_encoding import format_json
from atlas.web.requests.request import AsyncRequest, Request
from atlas.web.responses.response import HTMLResponse, Response
from atlas.web.responses.streaming import StreamingResponse

if TYPE_CHECKING:
    from atlas.web.requests.request import RequestHead

__all__ = ["Missing", "StreamingTemplate", "TemplatePlace", "Templates", "render", "template_place"]

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
Processor = Callable[[Any], Mapping[str, Any]]

# Jinja2 yields a chunk for each tag and each text between tags. This many are joined and sent together.
_CHUNKS_PER_SEND = 64


class Missing(jinja2.StrictUndefined):
    """An undefined variable: false in a condition; an error if it is printed or used otherwise."""

    __slots__ = ()

    def __bool__(self) -> bool:  # type: ignore[override]  # that of StrictUndefined raises, so its type is Never
        return False


@dataclass(frozen=True, slots=True)
class TemplatePlace:
    """The position of an error in a template.

    :ivar path: the file of the template; ``<template>`` for a template from a string.
    :ivar line: line number, from 1.
    :ivar text: the text of the line.
    """

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"in template {self.path}, line {self.line}: {self.text.strip()}"


class Templates:
    """The templates of an application.

    ``globals`` and ``filters`` are dicts that can be changed. A context processor adds variables to all templates. Such
    functions may be ``def``, which may wait, or ``async def``; this does not depend on the controller that renders.

    :param folders: the template folders, searched in this order.
    :param reload: whether changed files are loaded again, default False.
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
        self.environment.policies.update({"json.dumps_function": format_json, "json.dumps_kwargs": {}})
        dict.update(self.environment.globals, url_for=_url_for, flashes=_flashes)
        self._folders = [str(folder) for folder in folders]
        self._processors: list[Processor] = []

    @property
    def may_wait(self) -> bool:
        """Whether a template calls functions that may wait: there are context processors, or own globals or filters."""
        return bool(self._processors) or any(each.may_wait for each in self._functions)

    @property
    def globals(self) -> dict[str, Any]:
        """The global variables and functions of all templates, by name."""
        return self.environment.globals

    @property
    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of all templates, by name."""
        return self.environment.filters

    def filter(self, name: str) -> Callable[[F], F]:
        """Return a decorator that adds a filter.

        :param name: the name of the filter.
        """

        def add(function: F) -> F:
            self.filters[name] = function
            return function

        return add

    def context_processor(self, function: F) -> F:
        """Add a context processor; used as a decorator.

        :param function: ``function(request)`` returns a mapping of variables for all templates. The context of a page
            takes precedence.
        """
        self._processors.append(_processor(function))
        return function

    def render(
        self, request: RequestHead, name: str, context: Mapping[str, Any] | None = None, block: str | None = None
    ) -> str:
        """Render a template, or one block of it.

        Its variables are the context, those of the context processors, ``request``, ``csrf_token``, ``url_for`` and
        ``flashes()``.

        :param request: the current request.
        :param name: the template, relative to the template folders.
        :param context: the variables; default none.
        :param block: the name of a block; None, the default, for the whole template.
        :raises jinja2.TemplateError: if the template is missing or invalid. Each exception that is raised in a template
            has a note with the position; see :func:`template_place`.
        :raises LookupError: if the template has no such block.
        """
        return "".join(self.chunks(request, name, context, block))

    def chunks(
        self, request: RequestHead, name: str, context: Mapping[str, Any] | None = None, block: str | None = None
    ) -> Iterator[str]:
        """Render a template in chunks; parameters and exceptions as for :meth:`render`."""
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
            known = ", ".join(sorted(template.blocks)) or "none"
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
        """Add the searched folders and a similar name to the exception."""
        close = get_close_matches(str(error.name), self.environment.list_templates(), 1) if self._folders else []
        searched = ", ".join(self._folders) or "no folder: there is no 'templates' beside the application"
        error.add_note(f"looked for {error.name!r} in {searched}" + (f"; did you mean {close[0]!r}?" if close else ""))


def template_place(error: BaseException) -> TemplatePlace | None:
    """Return the position in a template at which an exception was raised; None if it was not raised in a template.

    It is that of the innermost template, such as an included one.

    :param error: the exception.
    """
    if isinstance(error, jinja2.TemplateSyntaxError):
        text = (error.source or "").splitlines()[error.lineno - 1 : error.lineno]
        return TemplatePlace(error.filename or "<template>", error.lineno, "".join(text))
    found, trace = None, error.__traceback__
    while trace is not None:
        # Jinja2 replaces the frames of compiled templates with frames that have this variable (jinja2.debug).
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
    """Return the flashed messages of the session, and remove them."""
    return context["request"].session.flashes()


class _Functions(dict[str, Any]):
    """Globals or filters by name. An ``async def`` is replaced by a function that waits for its result."""

    may_wait = False

    def __setitem__(self, name: str, value: Any) -> None:
        self.may_wait = self.may_wait or callable(value)
        super().__setitem__(name, _sync_function(value) if callable(value) and is_async(value) else value)

    def update(self, *given: Any, **named: Any) -> None:
        for name, value in dict(*given, **named).items():
            self[name] = value

    def setdefault(self, name: str, default: Any = None) -> Any:
        if name not in self:
            self[name] = default
        return self[name]


def _sync_function(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)  # copies the attribute in which Jinja2's pass_context and the like are stored
    def call(*arguments: Any, **options: Any) -> Any:
        return await_(function(*arguments, **options))

    return call


def _processor(function: Processor) -> Processor:
    """Adapt a context processor: a ``def`` gets a Request, an ``async def`` an AsyncRequest, and is waited for."""
    if is_async(function):
        return lambda request: await_(cast(Any, function(request.as_type(AsyncRequest))))
    return lambda request: function(request.as_type(Request))


class _Rendering(Generic[T]):
    """A call that renders. If the caller cannot wait and the template may, it runs in a greenlet.

    If a function of the template then waits, the call is suspended until :meth:`finish` is awaited.
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
    """A page whose template waits, rendered by an ``async def`` controller. It is completed after the controller has
    returned it."""

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
    """A page that is sent while it is rendered, for templates that are long or slow.

    The first part is rendered at once: an exception there becomes an error page. A later exception aborts the response.

    :param request: the current request.
    :param name: the template, relative to the template folders.
    :param context: the variables, as for :func:`render`; default none.
    :param status_code: default 200.
    :param headers: header fields; default none.
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
        block: str | None = None,
    ) -> None:
        chunks = _joined(request.app.templates.chunks(request, name, context, block))
        self._rendering = _Rendering(request, lambda: next(chunks))
        super().__init__(_prepend(self._rendering.value or "", chunks), status_code, headers)
        if self._rendering.waits:
            self.body_iterator = chunks
            self.pending = True

    async def complete(self, request: Any) -> Response:
        self.body_iterator = _prepend(await self._rendering.finish(), cast("Iterator[str]", self.body_iterator))
        self.pending = False
        return self


def _prepend(first: str, others: Iterator[str]) -> Iterator[str]:
    yield first
    yield from others


def _joined(chunks: Iterator[str]) -> Iterator[str]:
    """Join groups of chunks."""
    group: list[str] = []
    for chunk in chunks:
        group.append(chunk)
        if len(group) == _CHUNKS_PER_SEND:
            yield "".join(group)
            group.clear()
    yield "".join(group)


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
    """Render a template as a response.

    :param request: the current request.
    :param name: the template, relative to the template folders.
    :param context: the variables, in addition to those of :meth:`Templates.render`; default none.
    :param status_code: default 200.
    :param headers: header fields; default none.
    :param block: the name of a block, to render a part of a page; None, the default, for the whole template.
    :param stream: whether the page is sent while it is rendered, default False; see :class:`StreamingTemplate`.
    :raises jinja2.TemplateError: if the template is missing or invalid.
    :raises LookupError: if the template has no such block.
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
