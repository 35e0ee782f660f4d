"""Calls a controller with its inputs.

For each controller a function is compiled at startup that does only what this controller needs: with two parameters of
the path and three of the query it is a call of msgspec and a call of the controller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import msgspec

from atlas.web.exceptions import UnprocessableContent
from atlas.web.inputs.bodies import BodyValue, FileValue
from atlas.web.inputs.parameters import Input, Inputs
from atlas.web.inputs.text_values import FieldsOfClass, SingleFields, WrongValue
from atlas.web.multidict import ManyValues
from atlas.web.requests.forms import LIMITS
from atlas.web.requests.request_head import RequestHead
from atlas.web.requests.uploads import AsyncUpload
from atlas.web.requests.validation import Problem, refuse

__all__ = ["bind_inputs"]

_TEXTS = ("path", "query", "header", "cookie", "form")
_WRONG = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, WrongValue)


def bind_inputs(inputs: Inputs, *, is_async: bool) -> Callable[..., Any]:
    """Return ``call(request, *values)``, which calls a controller with its inputs.

    :param inputs: the parameters of the controller.
    :param is_async: whether the controller is awaited; then ``call`` is too.
    :returns: the function. It raises UnprocessableContent for wrong values, with all errors, and what reading the body
        of the request raises. The controller itself, if it takes the request and the path as they are.
    """
    if inputs.is_plain:
        return inputs.controller
    return _Binding(inputs, is_async=is_async).compile()


class _Binding:
    """What is read of a request for a controller, and the text of the function that reads it."""

    def __init__(self, inputs: Inputs, *, is_async: bool) -> None:
        self._inputs = inputs
        self._is_async = is_async
        self._names: dict[str, Any] = {"controller": inputs.controller, "explain": self._explain}
        self._lines: list[str] = []
        self._values: dict[str, str] = {}  # the expression of each parameter
        self._checks: list[tuple[str, Any]] = []  # what finds the errors: the source, and the reader
        self._errors: list[type[Exception]] = list(_WRONG)
        for each in inputs.all:
            if each.source == "request":
                self._values[each.name] = "request"
            elif each.source == "path" and each.converted:
                self._values[each.name] = f"p{inputs.path.index(each.name)}"
        for source in _TEXTS:
            self._add_source(source, [each for each in inputs.all if each.source == source and not each.converted])
        for each in inputs.all:
            if each.source == "body":
                self._add_body(each)
            elif each.source == "file":
                self._add_file(each)

    def _add_source(self, source: str, all_of_it: Sequence[Input]) -> None:
        if not all_of_it:
            return
        single = [each for each in all_of_it if not each.has_fields]
        get = self._find_getter(source, single)
        self._lines.append(f"{source} = {get}")
        if single:
            reader = SingleFields(source, single)
            self._add(f"{source}_values", source, reader, source)
            for index, each in enumerate(single):
                self._values[each.name] = f"{source}_values.f{index}"
        for each in all_of_it:
            if each.has_fields:
                fields = FieldsOfClass(source, each, [other.key for other in single])
                self._errors += fields.errors
                self._add(f"{source}_{each.name}", source, fields, source)
                self._values[each.name] = f"{source}_{each.name}"

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

    def _add(self, variable: str, source: str, reader: Any, argument: str) -> None:
        self._names[f"read_{variable}"] = reader.read
        self._lines.append(f"{variable} = read_{variable}({argument})")
        self._checks.append((source, reader))

    def _add_body(self, each: Input) -> None:
        body = BodyValue(each)
        self._errors += body.errors
        self._add("body_value", "body", body, "request, body")
        self._values[each.name] = "body_value"

    def _add_file(self, each: Input) -> None:
        self._add(f"file_{each.name}", "file", FileValue(each), "files")
        self._values[each.name] = f"file_{each.name}"

    def compile(self) -> Callable[..., Any]:
        """Compile the function."""
        sources = {each.source for each in self._inputs.all}
        path = [f"p{number}" for number in range(len(self._inputs.path))]
        reads_form, reads_body = bool(sources & {"form", "file"}), "body" in sources
        waits = self._is_async and (reads_form or reads_body)
        lines = [f"{'async ' if waits else ''}def call({', '.join(['request', *path])}):"]
        lines += ["    body = form_fields = files = None"]
        if reads_form:
            lines.append(f"    form_fields, files = {'await ' if waits else ''}read_form(request)")
            self._names["read_form"] = _read_form_async if self._is_async else _read_form
        if reads_body:
            lines.append(f"    body = {'await request.read_body()' if waits else 'request.body()'}")
        if self._lines:
            lines += ["    try:", *(f"        {line}" for line in self._lines), "    except wrong as error:"]
            values = "".join(f"{each}, " for each in path)
            lines.append(f"        raise explain(request, ({values}), body, form_fields, files, error) from None")
            self._names["wrong"] = tuple(dict.fromkeys(self._errors))
        arguments = [
            f"{each.name}={self._values[each.name]}" if each.by_name else self._values[each.name]
            for each in self._inputs.all
        ]
        lines.append(f"    return {'await ' if waits else ''}controller({', '.join(arguments)})")
        exec(compile("\n".join(lines), f"<inputs of {self._inputs.controller!r}>", "exec"), self._names)
        return wraps(self._inputs.controller)(self._names["call"])

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
        return refuse(problems or [("", str(error) or "the values do not fit together")])


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
