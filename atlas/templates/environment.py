"""The environment: a Jinja2 environment whose templates run several times faster.

Templates are compiled by :class:`CodeGenerator` if nothing in the environment asks for other code; see
:func:`is_accelerated`. Jinja2's own code generator compiles the others, and each template that is rendered piece by
piece (``generate``, ``stream``).
"""

from __future__ import annotations

import sys
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, NoReturn, Self, cast

import jinja2
from jinja2 import compiler, nodes
from jinja2.environment import TemplateModule, create_cache
from jinja2.utils import internalcode

from atlas._speedups.templates.context import RenderFunction, new_context, render_page
from atlas.templates.code_generator import CodeGenerator
from atlas.templates.context import Context
from atlas.templates.modes import Mode, engine_mode, log_difference, values_for_two
from atlas.templates.tracebacks import name_template_lines, template_line

__all__ = ["Environment", "Template", "is_accelerated"]

# Methods that compiled code does not call: an environment or context that overrides one gets Jinja2's code.
_INLINED = ("getattr", "getitem")
_INLINED_OF_CONTEXT = ("__init__", "__new__", "resolve_or_missing", "get_all", "derived", "call")
_CACHE_SIZE = 400  # as many as Jinja2 keeps


class Template(jinja2.Template):
    """A template; see :class:`jinja2.Template`."""

    source: str | None = None  # of a template from a string
    _renders_twice = False
    _in_pieces: jinja2.Template | None = None

    @classmethod
    def _from_namespace(
        cls,
        environment: jinja2.Environment,
        namespace: MutableMapping[str, Any],
        globals: MutableMapping[str, Any],  # noqa: A002
    ) -> Template:
        template = cast(Template, super()._from_namespace(environment, namespace, globals))
        template._renders_twice = engine_mode() is Mode.SHADOW
        return template

    def render(self, *args: Any, **kwargs: Any) -> str:
        """Render the template; see :meth:`jinja2.Template.render`."""
        root = self.root_render_func
        if not isinstance(root, RenderFunction):
            return super().render(*args, **kwargs)
        values = dict(*args, **kwargs)
        if self._renders_twice:
            return self._render_twice(values)
        try:
            return render_page(root, self.new_context(values))
        except Exception:
            self.environment.handle_exception()

    def _render_twice(self, values: dict[str, Any]) -> str:
        """Render with both engines, and log a difference. Return what Jinja2 renders, or raise what it raises."""
        first, second = values_for_two(values)
        results: list[str | Exception] = []
        calls: list[Callable[[], str]] = [lambda: self.in_pieces().render(first), lambda: self._render_here(second)]
        for render in calls:
            try:
                results.append(render())
            except Exception as error:
                results.append(error)
        log_difference(self.name, *results)
        if isinstance(results[0], Exception):
            raise results[0]
        return results[0]

    def _render_here(self, values: dict[str, Any]) -> str:
        root = self.root_render_func
        assert isinstance(root, RenderFunction)
        return render_page(root, self.new_context(values))

    def generate(self, *args: Any, **kwargs: Any) -> Iterator[str]:
        """Render the template piece by piece; see :meth:`jinja2.Template.generate`."""
        template = self.in_pieces() if isinstance(self.root_render_func, RenderFunction) else self
        return super().generate(*args, **kwargs) if template is self else template.generate(*args, **kwargs)

    def in_pieces(self) -> jinja2.Template:
        """Return the template as Jinja2 compiles it, whose functions are generators; itself if there is no source."""
        environment = self.environment
        assert isinstance(environment, Environment)
        own = self.globals.maps[0] if isinstance(self.globals, ChainMap) else {}
        if self.source is not None:
            if self._in_pieces is None:
                self._in_pieces = environment.without_plans().from_string(self.source, own, type(self))
            return self._in_pieces
        loader = environment.loader
        if self.name is None or loader is None or not loader.has_source_access:
            return self
        return environment.without_plans().get_template(self.name, globals=own)

    def new_context(
        self,
        vars: dict[str, Any] | None = None,  # noqa: A002  # Jinja2's
        shared: bool = False,
        locals: Mapping[str, Any] | None = None,  # noqa: A002  # Jinja2's
    ) -> jinja2.runtime.Context:
        """Return the variables for one rendering; see :meth:`jinja2.Template.new_context`."""
        if not isinstance(self.root_render_func, RenderFunction):
            return super().new_context(vars, shared, locals)
        environment = self.environment
        context: Context = new_context(
            environment.context_class, environment, self.name, self.blocks, vars or {}, shared, self.globals, locals
        )
        return context

    @internalcode
    def _get_default_module(self, ctx: jinja2.runtime.Context | None = None) -> TemplateModule:
        if self._module is not None and isinstance(ctx, Context) and ctx.has_globals_of(self.globals):
            return self._module
        return super()._get_default_module(ctx)

    def get_corresponding_lineno(self, lineno: int) -> int:
        """Return the line of the template for a line of its code; see Jinja2."""
        line = template_line(lineno)
        return super().get_corresponding_lineno(lineno) if line is None else line


class Environment(jinja2.Environment):
    """A Jinja2 environment whose templates run several times faster; the parameters are those of Jinja2.

    :ivar check_awaitable: called with the result of a call that has to be awaited; None, the default, for no check.
    :ivar finalize_keeps_plain: whether ``finalize`` returns text, numbers, booleans and None as they are, so that it is
        not called for them; default False.
    """

    code_generator_class = CodeGenerator
    context_class = Context
    template_class = Template
    check_awaitable: Any = None
    finalize_keeps_plain = False
    accelerates = True  # False in the environment of templates that are rendered piece by piece

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        if not isinstance(source, nodes.Template):
            raise TypeError("Can't compile non template nodes")
        # Only extensions make isolated scopes, whose code has no list to append to.
        is_isolated = bool(self.extensions) and source.find(nodes.OverlayScope) is not None
        is_here = is_accelerated(self) and not defer_init and not is_isolated
        if self.code_generator_class is not CodeGenerator or is_here:
            return super()._generate(source, name, filename, defer_init)
        generator = compiler.CodeGenerator(self, name, filename, None, defer_init, self.optimized)
        generator.visit(source)
        return str(generator.stream.getvalue())  # type: ignore[attr-defined]

    def from_string(
        self,
        source: str | nodes.Template,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002  # Jinja2's
        template_class: type[jinja2.Template] | None = None,
    ) -> jinja2.Template:
        """Return a template from its source; see :meth:`jinja2.Environment.from_string`."""
        template = super().from_string(source, globals, template_class)
        if isinstance(template, Template) and isinstance(source, str):
            template.source = source
        return template

    def handle_exception(self, source: str | None = None) -> NoReturn:
        """Raise the current exception with a traceback that names the lines of the template.

        :param source: the source of a template that is invalid.
        """
        error = sys.exc_info()[1]
        if error is not None and error.__traceback__ is not None:
            name_template_lines(error)
        super().handle_exception(source)

    def without_plans(self) -> Self:
        """Return an environment with the same options and objects, whose templates Jinja2 compiles."""
        other: Self | None = self.__dict__.get("_without_plans")
        if other is None or other.__dict__ is not self.__dict__:
            cache = create_cache(_CACHE_SIZE)
            differences = {
                "accelerates": False,
                "cache": property(lambda _: cache, lambda *_: None),
                "bytecode_cache": property(lambda _: None, lambda *_: None),
            }
            other = object.__new__(type(type(self).__name__, (type(self),), differences))
            object.__setattr__(other, "__dict__", self.__dict__)
            self.__dict__["_without_plans"] = other
        return other


def is_accelerated(environment: jinja2.Environment) -> bool:
    """Return whether the templates of an environment are compiled by :class:`CodeGenerator`.

    They are not if they are asynchronous or sandboxed, if a class overrides what compiled code does (look-ups, joining,
    the methods of the context), with another minor version of Jinja2, and with ``ATLAS_TEMPLATES=jinja2``.

    :param environment: the environment.
    """
    kind, context = type(environment), environment.context_class
    has_own_code = (
        environment.is_async,
        environment.sandboxed,
        environment.concat is not jinja2.Environment.concat,
        any(getattr(kind, name) is not getattr(jinja2.Environment, name) for name in _INLINED),
        any(name in environment.__dict__ for name in _INLINED),
        any(getattr(context, name) != getattr(Context, name, None) for name in _INLINED_OF_CONTEXT),
        not isinstance(environment.filters, dict),
        not isinstance(environment.tests, dict),
        not getattr(environment, "accelerates", False),
        engine_mode() is Mode.JINJA2,
        not jinja2.__version__.startswith("3.1."),
    )
    return not any(has_own_code)


Template.environment_class = Environment  # of Template("source")
