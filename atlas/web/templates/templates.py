"""The templates of an application."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import jinja2

from atlas.gateway.greenlets import await_in_place
from atlas.templates.checks import template_names
from atlas.web.json_encoding import format_json
from atlas.web.scope_keys import SESSION
from atlas.web.templates.current import CSRFToken, CurrentRequest, Rendering, flashes, rendering, token_of, url_for
from atlas.web.templates.environment import Environment
from atlas.web.templates.functions import Functions, Processor, adapted_processor
from atlas.web.templates.places import note_place
from atlas.web.templates.references import uses_variable

if TYPE_CHECKING:
    from atlas.web.requests.request_head import RequestHead

__all__ = ["Templates", "is_markup"]

logger = logging.getLogger("atlas.web")

F = TypeVar("F", bound=Callable[..., Any])
_AsyncChunks = AsyncGenerator[str, None]


class Templates:
    """The templates of an application.

    An application makes them from its configuration. For other options a program sets them before the start:
    ``app.templates = Templates(enable_async=True)``.

    ``globals`` and ``filters`` are dicts that can be changed. A context processor adds variables to all templates. Such
    functions may be ``def``, which may wait, or ``async def``; this does not depend on the controller that renders.

    :param folders: the template folders, searched in this order. None, the default, for those of the application.
    :param reload: whether changed files are loaded again; None, the default, if the application has ``debug``.
    :param options: further options of :class:`jinja2.Environment`. With ``enable_async=True`` templates await what they
        call, in ``def`` controllers too. A ``loader`` takes precedence over the folders.
    """

    def __init__(
        self, folders: Sequence[str | os.PathLike[str]] | None = None, *, reload: bool | None = None, **options: Any
    ) -> None:
        self._folders: list[str] | None = None
        self._reload = reload
        self.environment = Environment(**options)
        if folders is not None:
            self._search(folders)
        if reload is not None:
            self.environment.auto_reload = reload
        self._functions = [Functions(self.environment.globals), Functions(self.environment.filters)]
        self.environment.globals, self.environment.filters = self._functions
        self.environment.policies.update({"json.dumps_function": format_json, "json.dumps_kwargs": {}})
        builtin = {"url_for": url_for, "flashes": flashes, "request": CurrentRequest(), "csrf_token": CSRFToken()}
        dict.update(self.environment.globals, builtin)
        self._text_environment: Environment | None = None
        self._use_flashes: dict[str, bool] = {}
        self._processors: list[Processor] = []

    def bind(self, folders: Sequence[Path], *, reload: bool) -> None:
        """Use the folders and the setting of an application where none were passed; called by the application.

        :param folders: the template folders.
        :param reload: whether changed files are loaded again.
        """
        if self._folders is None:
            self._search(folders)
        if self._reload is None:
            self.environment.auto_reload = reload

    def _search(self, folders: Sequence[str | os.PathLike[str]]) -> None:
        if isinstance(folders, (str, os.PathLike)):
            raise TypeError(f"Templates: folders: expected a list of folders, got {folders!r}")
        self._folders = [os.fspath(folder) for folder in folders]
        if self.environment.loader is None:
            self.environment.loader = jinja2.FileSystemLoader(self._folders)

    def load_all(self) -> None:
        """Load the templates, unless changed files are loaded again: no request has to compile one then.

        A template with a mistake is logged. The rendering that needs it raises.
        """
        environment, cache = self.environment, cast(Any, self.environment.cache)
        if environment.auto_reload or environment.loader is None or cache is None:
            return
        for name in template_names(environment)[: getattr(cache, "capacity", None)]:
            try:
                environment.get_template(name)
            except (jinja2.TemplateError, UnicodeDecodeError) as error:
                logger.warning(
                    "template %s:%s: %s", name, getattr(error, "lineno", 1), getattr(error, "message", error)
                )

    @property
    def may_wait(self) -> bool:
        """Whether a template calls functions that may wait: there are context processors, or own globals or filters, or
        templates await what they call."""
        return self.environment.is_async or bool(self._processors) or any(each.may_wait for each in self._functions)

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
        self._processors.append(adapted_processor(function))
        return function

    def render(
        self,
        request: RequestHead,
        name: str,
        context: Mapping[str, Any] | None = None,
        block: str | None = None,
        *,
        content_type: str = "text/html",
    ) -> str:
        """Render a template, or one block of it.

        Its variables are the context, those of the context processors, ``request``, ``csrf_token``, ``url_for`` and
        ``flashes()``.

        :param request: the current request.
        :param name: the template, relative to the template folders.
        :param context: the variables; default none.
        :param block: the name of a block; None, the default, for the whole template. Imports, macros and ``set`` at the
            top level of the template are available in the block, and so are those of the templates that it extends.
        :param content_type: what the text is used as. For HTML, the default, and XML what the template prints is
            escaped; for ``text/plain`` and the like it is not.
        :raises jinja2.TemplateError: if the template is missing or invalid. Each exception that is raised in a template
            has a note with the position; see :func:`template_place`.
        :raises LookupError: if the template has no such block.
        """
        environment = self._environment(content_type)
        with rendering(Rendering(request)):
            if block is not None or environment.is_async:
                return "".join(self._chunks(environment, request, name, context, block))
            try:
                return environment.get_template(name).render(self._values(request, context or {}))
            except Exception as error:
                self._note(error)
                raise

    def chunks(
        self,
        request: RequestHead,
        name: str,
        context: Mapping[str, Any] | None = None,
        block: str | None = None,
        *,
        content_type: str = "text/html",
    ) -> Iterator[str]:
        """Render a template in chunks; parameters and exceptions as for :meth:`render`.

        If it uses ``flashes()``, the messages are taken from the session before the first chunk: the session cannot be
        changed after the response has begun.
        """
        current = Rendering(request, self._take_flashes(request, name))
        environment = self._environment(content_type)
        if not environment.is_async:
            environment = environment.without_plans()  # its templates are generators
        chunks = self._chunks(environment, request, name, context, block)
        try:
            while True:
                with rendering(current):  # not while the caller has a chunk
                    chunk = next(chunks, None)
                if chunk is None:
                    return
                yield chunk
        finally:
            with rendering(current):
                chunks.close()

    def _chunks(
        self,
        environment: Environment,
        request: RequestHead,
        name: str,
        context: Mapping[str, Any] | None,
        block: str | None,
    ) -> Generator[str, None, None]:
        try:
            values = self._values(request, context or {})
            if block is not None:
                yield from _render_block(environment, name, block, values)
            elif environment.is_async:
                yield from _in_place(cast(_AsyncChunks, environment.get_template(name).generate_async(values)))
            else:
                yield from environment.get_template(name).generate(values)
        except Exception as error:
            self._note(error)
            raise

    def _note(self, error: Exception) -> None:
        """Add the position in the template to an exception, and what was searched for a missing template."""
        if isinstance(error, jinja2.TemplateNotFound):
            self._explain(error)
        note_place(error)

    def _take_flashes(self, request: RequestHead, name: str) -> list[Any] | None:
        take = getattr(request._notes.get(SESSION), "flashes", None)
        if take is None:
            return None
        uses = None if self.environment.auto_reload else self._use_flashes.get(name)
        if uses is None:
            uses = self._use_flashes[name] = uses_variable(self.environment, name, "flashes")
        messages: list[Any] | None = take() if uses else None
        return messages

    def _environment(self, content_type: str) -> Environment:
        """Return the environment for a content type."""
        if is_markup(content_type):
            return self.environment
        if self._text_environment is None:
            self._text_environment = self.environment.overlay(autoescape=False)
        return self._text_environment

    def _values(self, request: RequestHead, context: Mapping[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {"request": request, "csrf_token": token_of(request)}
        for processor in self._processors:
            values.update(processor(request))
        values.update(context)
        return values

    def _explain(self, error: jinja2.TemplateNotFound) -> None:
        """Add the searched folders and a similar name to the exception."""
        loader = self.environment.loader
        if not isinstance(loader, jinja2.FileSystemLoader):
            error.add_note(f"looked for {error.name!r} in {loader!r}")
            return
        close = get_close_matches(str(error.name), self.environment.list_templates(), 1) if loader.searchpath else []
        searched = ", ".join(loader.searchpath) or "no folder: there is no 'templates' beside the application"
        error.add_note(f"looked for {error.name!r} in {searched}" + (f"; did you mean {close[0]!r}?" if close else ""))


def is_markup(content_type: str) -> bool:
    """Return whether browsers may read markup in a content of this type: HTML, XML, and a type that is missing or
    unknown, which they detect from the content (MIME Sniffing standard, 7).

    :param content_type: the value of ``content-type``.
    """
    if content_type.startswith("text/html"):
        return True
    kind = content_type.partition(";")[0].strip().lower()
    main, slash, subtype = kind.partition("/")
    is_known = bool(slash and main and subtype) and kind not in ("*/*", "unknown/unknown", "application/unknown")
    return not is_known or "html" in subtype or "xml" in subtype


def _render_block(environment: Environment, name: str, block: str, values: dict[str, Any]) -> Iterator[str]:
    """Run the top level of a template and of those that it extends, and render one block."""
    template = environment.get_block_template(name)
    context = template.new_context(values)
    try:
        if environment.is_async:
            for _ in _in_place(cast(_AsyncChunks, template.root_render_func(context))):
                pass
        else:
            for _ in template.root_render_func(context):
                pass
        if block not in context.blocks:
            known = ", ".join(sorted(context.blocks)) or "none"
            raise LookupError(f"template {name!r} has no block {block!r}, only {known}")
        chunks: Any = context.blocks[block][0](context)
        yield from _in_place(chunks) if environment.is_async else chunks
    except Exception:
        environment.handle_exception()  # as Template.generate does: the traceback names the template's lines


def _in_place(chunks: _AsyncChunks) -> Iterator[str]:
    """Iterate over the chunks of an asynchronous template in sync code, so that its sync functions can wait too."""
    try:
        while True:
            try:
                yield await_in_place(chunks.__anext__())
            except StopAsyncIteration:
                return
    finally:
        await_in_place(chunks.aclose())
