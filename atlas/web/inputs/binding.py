"""Calls a controller with its inputs.

For each controller a function is compiled at startup that does only what this controller needs: with two parameters of
the path and three of the query it is a call of msgspec and a call of the controller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from functools import wraps
from typing import Any

import msgspec

from atlas.gateway.greenlets import await_, in_greenlet
from atlas.web.call_site import GENERATED
from atlas.web.controllers import controller_name
from atlas.web.exceptions import UnprocessableContent
from atlas.web.inputs.bodies import BodyValue, FileValue
from atlas.web.inputs.markers import Provide
from atlas.web.inputs.parameters import Input, Inputs
from atlas.web.inputs.providers import Provider
from atlas.web.inputs.text_values import FieldsOfClass, SingleFields, WrongValue
from atlas.web.multidict import ManyValues
from atlas.web.requests.forms import LIMITS
from atlas.web.requests.request import AsyncRequest, Request
from atlas.web.requests.request_head import RequestHead
from atlas.web.requests.uploads import AsyncUpload
from atlas.web.requests.validation import Problem, refuse

__all__ = ["bind_inputs"]

_TEXTS = ("path", "query", "header", "cookie", "form")
_WRONG = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, WrongValue)


def bind_inputs(inputs: Inputs, *, is_async: bool, providers: Sequence[Provider] = ()) -> Callable[..., Any]:
    """Return ``call(request, *values)``, which calls a controller with its inputs.

    :param inputs: the parameters of the controller.
    :param is_async: whether the controller is awaited; then ``call`` is too.
    :param providers: its dependencies, each before those that need it; none by default.
    :returns: the function. It raises UnprocessableContent for wrong values, with all errors, and what reading the body
        of the request raises. The controller itself, if it takes the request and the path as they are.
    :raises ValueError: if the controller and a dependency take the body.
    """
    if inputs.is_plain:
        return inputs.controller
    return _Binding(inputs, providers, is_async=is_async).compile()


class _Binding:
    """What is read of a request for a controller and its dependencies, and the text of the function that reads it."""

    def __init__(self, inputs: Inputs, providers: Sequence[Provider], *, is_async: bool) -> None:
        self._inputs = inputs
        self._providers = providers
        self._is_async = is_async
        self._names: dict[str, Any] = {"explain": self._explain}
        self._lines: list[str] = []
        self._values: dict[int, str] = {}  # the expression of each parameter, by its place in _all
        self._checks: list[tuple[str, Any]] = []  # what finds the errors: the source, and the reader
        self._errors: list[type[Exception]] = list(_WRONG)
        self._all = _distinct([each for owner in (*(one.inputs for one in providers), inputs) for each in owner.all])
        for each in self._all:
            if each.source == "path" and each.converted:
                self._values[self._all.index(each)] = f"p{inputs.path.index(each.name)}"
        for source in _TEXTS:
            self._add_source(source, [each for each in self._all if each.source == source and not each.converted])
        bodies = [each for each in self._all if each.source == "body"]
        if len(bodies) > 1:
            raise ValueError(f"the body is taken twice, as {bodies[0].name} and {bodies[1].name}")
        for each in bodies:
            body = BodyValue(each)
            self._errors += body.errors
            self._values[self._all.index(each)] = self._add("body", body, "request, body")
        for each in self._all:
            if each.source == "file":
                self._values[self._all.index(each)] = self._add("file", FileValue(each), "files")

    def _add_source(self, source: str, all_of_it: Sequence[Input]) -> None:
        if not all_of_it:
            return
        single = [each for each in all_of_it if not each.has_fields]
        self._lines.append(f"{source} = {self._find_getter(source, single)}")
        for group in _groups(single):
            variable = self._add(source, SingleFields(source, group), source)
            for index, each in enumerate(group):
                self._values[self._all.index(each)] = f"{variable}.f{index}"
        for each in all_of_it:
            if each.has_fields:
                fields = FieldsOfClass(source, each, [other.key for other in single])
                self._errors += fields.errors
                self._values[self._all.index(each)] = self._add(source, fields, source)

    def _find_getter(self, source: str, single: Sequence[Input]) -> str:
        """Return the expression for the names and values of a source."""
        if source == "query":
            return "request.query"
        if source == "form":
            return "form_fields"
        if source == "path":
            numbers = [(each.key, self._inputs.path.index(each.name)) for each in single]
            self._names["ManyValues"] = ManyValues
            return "ManyValues([" + ", ".join(f"({key!r}, str(p{number}))" for key, number in numbers) + "])"
        self._names[f"{source}s_of"] = _headers_of if source == "header" else _cookies_of
        return f"{source}s_of(request)"

    def _add(self, source: str, reader: Any, argument: str) -> str:
        """Add a line that reads a value, and return its variable."""
        variable = f"v{len(self._checks)}"
        self._names[f"read_{variable}"] = reader.read
        self._lines.append(f"{variable} = read_{variable}({argument})")
        self._checks.append((source, reader))
        return variable

    def compile(self) -> Callable[..., Any]:
        """Compile the function."""
        sources = {each.source for each in self._all}
        path = [f"p{number}" for number in range(len(self._inputs.path))]
        reads_form, reads_body = bool(sources & {"form", "file"}), "body" in sources
        wait = "await " if self._is_async else ""
        lines = [f"{'async ' if self._is_async else ''}def call({', '.join(['request', *path])}):"]
        lines += ["    body = form_fields = files = None"]
        if reads_form:
            lines.append(f"    form_fields, files = {wait}read_form(request)")
            self._names["read_form"] = _read_form_async if self._is_async else _read_form
        if reads_body:
            lines.append(f"    body = {'await request.read_body()' if self._is_async else 'request.body()'}")
        if self._lines:
            lines += ["    try:", *(f"        {line}" for line in self._lines), "    except wrong as error:"]
            values = "".join(f"{each}, " for each in path)
            lines.append(f"        raise explain(request, ({values}), body, form_fields, files, error) from None")
            self._names["wrong"] = tuple(dict.fromkeys(self._errors))
        lines += self._calls(wait)
        exec(
            compile("\n".join(lines), f"{GENERATED}inputs of {controller_name(self._inputs.controller)}>", "exec"),
            self._names,
        )
        return wraps(self._inputs.controller)(self._names["call"])

    def _calls(self, wait: str) -> list[str]:
        """Return the lines that call the dependencies and the controller."""
        lines, indent = [], "    "
        if any(each.cleans_up for each in self._providers):
            self._names["stack_type"] = AsyncExitStack if self._is_async else ExitStack
            lines.append(f"    {'async ' if self._is_async else ''}with stack_type() as stack:")
            indent = "        "
        for number, each in enumerate(self._providers):
            lines.append(f"{indent}d{number} = {self._call_provider(number, each)}")
        lines.append(f"{indent}return {wait}{self._call('controller', self._inputs, self._is_async)}")
        if len(indent) > 4:
            self._names["swallowed"] = _swallowed
            lines.append("    raise swallowed()")
        return lines

    def _call_provider(self, number: int, provider: Provider) -> str:
        name = f"f{number}"
        function: Any = provider.inputs.controller
        if provider.cleans_up:
            function = provider.enter_async() if self._is_async else provider.enter_sync()
            text = self._call(name, provider.inputs, provider.is_async, function)
            return f"await stack.enter_async_context({text})" if self._is_async else f"stack.enter_context({text})"
        if provider.is_async:
            text = self._call(name, provider.inputs, True, function)
            if self._is_async:
                return f"await {text}"
            self._names["wait"] = await_
            return f"wait({text})"
        if not self._is_async:
            return self._call(name, provider.inputs, False, function)
        self._names["in_greenlet"] = in_greenlet
        text = self._call("", provider.inputs, False)[1:-1]
        self._names[name] = function
        return f"await in_greenlet({name}{', ' if text else ''}{text})"

    def _call(self, name: str, inputs: Inputs, is_async: bool, function: Any = None) -> str:
        """Return the text of a call."""
        if name:
            self._names[name] = function if function is not None else inputs.controller
        arguments = []
        for each in inputs.all:
            value = self._value(each, is_async)
            arguments.append(f"{each.name}={value}" if each.by_name else value)
        return f"{name}({', '.join(arguments)})"

    def _value(self, each: Input, is_async: bool) -> str:
        if each.source == "request":
            if is_async is self._is_async:
                return "request"
            self._names["other_type"] = AsyncRequest if is_async else Request
            return "request.as_type(other_type)"
        if isinstance(each.marker, Provide):
            keys: list[Any] = [one.key for one in self._providers]
            return f"d{keys.index(each.marker.function)}"
        return self._values[self._all.index(_same(each))]

    def _explain(
        self, request: RequestHead, path: Sequence[Any], body: bytes | None, form: Any, files: Any, error: Exception
    ) -> UnprocessableContent:
        """Return the exception for wrong values, with all errors.

        :raises BadRequest: if the body is not JSON.
        """
        problems: list[Problem] = []
        for source, reader in self._checks:
            if source == "body":
                problems += reader.find_problems(request, body)
            elif source == "file":
                problems += reader.find_problems(files)
            elif source == "form":
                problems += reader.find_problems(form)
            elif source == "path":
                texts = [(name, str(value)) for name, value in zip(self._inputs.path, path, strict=True)]
                problems += reader.find_problems(ManyValues(texts))
            else:
                problems += reader.find_problems(_GETTERS[source](request))
        return refuse(list(dict.fromkeys(problems)) or [("", str(error) or "the values do not fit together")])


def _same(each: Input) -> Input:
    """Return a parameter without what does not matter for its value."""
    return each._replace(by_name=False, marker=None)


def _distinct(inputs: Sequence[Input]) -> list[Input]:
    """Return the parameters that are read; those of several functions that mean the same are one."""
    found: list[Input] = []
    for each in map(_same, (each for each in inputs if each.source not in ("request", "provide"))):
        if each not in found:
            found.append(each)
    return found


def _groups(inputs: Sequence[Input]) -> list[list[Input]]:
    """Divide parameters into groups in which each name occurs once."""
    groups: list[list[Input]] = []
    for each in inputs:
        for group in groups:
            if all(each.key != other.key for other in group):
                group.append(each)
                break
        else:
            groups.append([each])
    return groups


def _swallowed() -> RuntimeError:
    return RuntimeError("a generator that is a dependency has caught an exception and not raised one")


def _query_of(request: RequestHead) -> ManyValues[str]:
    return request.query


def _headers_of(request: RequestHead) -> ManyValues[str]:
    return ManyValues([(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw])


def _cookies_of(request: RequestHead) -> ManyValues[str]:
    return ManyValues(request.cookies.items())


_GETTERS: dict[str, Callable[[RequestHead], ManyValues[str]]] = {
    "query": _query_of,
    "header": _headers_of,
    "cookie": _cookies_of,
}


def _read_form(request: Any) -> tuple[Any, Any]:
    return request.form(), request.files()


async def _read_form_async(request: Any) -> tuple[Any, Any]:
    form = await request.read_form(LIMITS, None)
    return form.fields, form.files(AsyncUpload)
