"""The variables of a rendering, and the functions that render a template into a list of texts.

Compiled templates are functions that append to a list. Jinja2's own are generators: both kinds can be mixed, since
templates of the same page may come from different loaders.
"""

from cpython.dict cimport PyDict_GetItemWithError
from cpython.object cimport PyObject

from collections import ChainMap
from weakref import ref

from jinja2 import Environment
from jinja2.nodes import EvalContext
from jinja2.utils import LRUCache, missing

cdef object MISSING = missing
cdef object CHAIN = ChainMap
cdef object REFERENCE = ref
cdef object CACHE = LRUCache
cdef object GET_TEMPLATE = Environment.get_template
cdef object LOAD_TEMPLATE = Environment._load_template
cdef object JOIN_PATH = Environment.join_path


cdef class ContextState:
    """The attributes of :class:`jinja2.runtime.Context`. What most templates do not need is made when it is used."""

    cdef object find(self, object name):
        """Return the value of a variable; MISSING if there is none."""
        cdef PyObject *found
        if self.vars:
            found = PyDict_GetItemWithError(self.vars, name)
            if found is not NULL:
                return <object>found
        found = PyDict_GetItemWithError(self.parent, name)
        return MISSING if found is NULL else <object>found

    cdef dict all_variables(self):
        """Return the variables, those that the template has set included; perhaps not a copy."""
        if not self.vars:
            return self.parent
        if not self.parent:
            return self.vars
        return {**self.parent, **self.vars}

    cdef object evaluation_context(self):
        if self.evaluation is None:
            self.evaluation = EvalContext(self.environment, self.name)
        return self.evaluation

    cdef dict all_blocks(self):
        if self.block_lists is None:
            self.block_lists = {}
            for name, function in (self.blocks_of_template or {}).items():
                self.block_lists[name] = [function]
        return self.block_lists

    def resolve_or_missing(self, key):
        """Return the value of a variable; Jinja2's ``missing`` if there is none."""
        return self.find(key)

    def get_all(self):
        """Return all variables in a dict, which is not to be changed."""
        return self.all_variables()

    @property
    def eval_ctx(self):
        """Whether the template escapes what it prints, as Jinja2's EvalContext."""
        return self.evaluation_context()

    @eval_ctx.setter
    def eval_ctx(self, value):
        self.evaluation = value

    @property
    def blocks(self):
        """The functions of each block by name, that of the innermost template first."""
        return self.all_blocks()

    @blocks.setter
    def blocks(self, dict value not None):
        self.block_lists = value

    @property
    def exported_vars(self):
        """The names that an imported template exports."""
        if self.exported is None:
            self.exported = set()
        return self.exported

    @exported_vars.setter
    def exported_vars(self, set value not None):
        self.exported = value

    @property
    def globals_keys(self):
        """The names of the globals of the template."""
        if self.global_names is None:
            self.global_names = set(self.global_variables or ())
        return self.global_names

    @globals_keys.setter
    def globals_keys(self, set value not None):
        self.global_names = value

    def has_globals_of(self, other, /):
        """Return whether a template with the given globals has every global of this one. False if it is not known."""
        own = self.global_variables
        if type(own) is not CHAIN or type(other) is not CHAIN:
            return own is None and self.global_names is not None and not self.global_names
        return len(own.maps) == 2 and not own.maps[0] and own.maps[1] is other.maps[-1]


cdef class RenderFunction:
    """A compiled template or block: ``function(context, out)``. A call returns what it appends, in an iterable."""

    def __init__(self, function):
        self.function = function

    cdef int render(self, object context, list out) except -1:
        self.function(context, out)
        return 0

    def __call__(self, context):
        cdef list out = []
        try:
            self.render(context, out)
        except StopIteration as error:
            # Jinja2's own functions are generators, in which Python replaces it (PEP 479).
            raise RuntimeError("generator raised StopIteration").with_traceback(error.__traceback__) from error
        return Chunks(out)


def render_page(RenderFunction function not None, context, /):
    """Return what a template renders.

    :param function: the function of the template.
    :param context: its context.
    """
    cdef list out = []
    try:
        function.render(context, out)
    except StopIteration as error:
        raise RuntimeError("generator raised StopIteration").with_traceback(error.__traceback__) from error
    return "".join(out)


class Chunks(list):
    """The texts of a rendering. It can be closed, like a generator."""

    __slots__ = ()

    def close(self):
        """Do nothing."""


cdef int render_function(object function, object context, list out) except -1:
    """Append what a function of a template or block renders; Jinja2's own are generators."""
    if isinstance(function, RenderFunction):
        return (<RenderFunction>function).render(context, out)
    generator = function(context)
    try:
        out.extend(generator)
    finally:
        close = getattr(generator, "close", None)
        if close is not None:
            close()
    return 0


cdef object new_state(object kind, object environment, dict parent, object name, object blocks, object global_variables):
    """Return a context; its class is one that has no constructor of its own."""
    cdef ContextState context = <ContextState?>kind.__new__(kind)
    context.environment = environment
    context.parent = parent
    context.vars = {}
    context.name = name
    context.blocks_of_template = blocks
    context.global_variables = global_variables
    return context


def new_context(kind, environment, name, blocks, values, bint shared, global_variables, local_variables, /):
    """Return the context for one rendering.

    :param kind: the class, a subclass of Context.
    :param environment: the environment.
    :param name: the name of the template; None for one from a string.
    :param blocks: its blocks, name to function.
    :param values: the variables.
    :param shared: whether they contain the globals already. They are not copied then.
    :param global_variables: the globals of the template, or None.
    :param local_variables: further variables, or None.
    """
    cdef dict parent
    if not shared:
        parent = with_globals(global_variables, values)
    else:
        parent = values if type(values) is dict and not local_variables else dict(values)
    if local_variables:
        for key, value in local_variables.items():
            if value is not MISSING:
                parent[key] = value
    return new_state(kind, environment, parent, name, blocks, global_variables)


cdef dict with_globals(object global_variables, object values):
    """Return ``dict(global_variables, **values)``."""
    cdef dict result = {}
    if type(global_variables) is CHAIN:
        for each in reversed(<list?>global_variables.maps):
            result.update(each)
    elif global_variables:
        result.update(global_variables)
    for key in values:
        if not isinstance(key, str):
            raise TypeError("keywords must be strings")
    result.update(values)
    return result


def resolve(ContextState context not None, name, /):
    """Return the value of a variable; Jinja2's ``missing`` if there is none."""
    return context.find(name)


def resolve_all(ContextState context not None, tuple names not None, /):
    """Return the values of several variables in a tuple."""
    return tuple([context.find(name) for name in names])


def render_block(context, name, list out not None, inner=None, /):
    """Append what a block renders.

    :param context: the context that has the blocks.
    :param name: the name of the block.
    :param out: the list.
    :param inner: the context for the block, if it is another one.
    """
    blocks = context.blocks[name]
    render_function(blocks[0], context if inner is None else inner, out)


def render_template(template, context, list out not None, /):
    """Append what a template renders with a context that is made for it.

    :param template: the template.
    :param context: the context.
    :param out: the list.
    """
    render_function(template.root_render_func, context, out)


def render_included(template, ContextState context not None, dict local_variables, list out not None, /):
    """Append what an included template renders.

    :param template: the template.
    :param context: the context of the template that includes it.
    :param local_variables: the variables of the place.
    :param out: the list.
    """
    inner = template.new_context(context.all_variables(), True, local_variables)
    render_function(template.root_render_func, inner, out)


def load(environment, name, parent, /):
    """Return ``environment.get_template(name, parent)``. A template of the environment's cache is found here.

    :param environment: the environment.
    :param name: the name of a template, or a template.
    :param parent: the name of the template that loads it.
    """
    kind = type(environment)
    if (
        type(name) is str and kind.get_template is GET_TEMPLATE and kind._load_template is LOAD_TEMPLATE
        and kind.join_path is JOIN_PATH and type(environment.cache) is CACHE
    ):
        mapping = environment.cache._mapping
        # The order of use matters to the cache only when it is full.
        if 2 * len(mapping) < environment.cache.capacity:
            template = mapping.get((REFERENCE(environment.loader), name))
            if template is not None and (not environment.auto_reload or template.is_up_to_date):
                return template
    return environment.get_template(name, parent)


def extend(ContextState context not None, template, /):
    """Add the blocks of a template that is extended.

    :param context: the context.
    :param template: the template.
    """
    cdef dict lists = context.all_blocks()
    for name, function in template.blocks.items():
        functions = lists.get(name)
        if functions is None:
            lists[name] = [function]
        else:
            functions.append(function)
