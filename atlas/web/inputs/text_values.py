"""Values from names and texts: the query, header fields, cookies, the fields of a form.

msgspec converts all values of a source in one call and stops at the first error. Only after an error they are read a
second time, one by one, for what clients write differently (``on`` for true), and then for the other errors.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, time
from typing import Any, NamedTuple, get_args

import msgspec

from atlas.web.inputs.defaults import default_maker, is_constant
from atlas.web.inputs.models import Model, find_model
from atlas.web.inputs.parameters import Input, bare_type, is_sequence, without_none
from atlas.web.multidict import ManyValues
from atlas.web.requests.validation import Problem, pointer

__all__ = ["FieldsOfClass", "SingleFields", "WrongValue"]

_BOOLS = dict.fromkeys(("on", "yes", "y", "t"), "true") | dict.fromkeys(("off", "no", "n", "f"), "false")
_GOT_TEXT = re.compile(r"got `str`$")
# HTML 2.3.5: input elements of the types time and datetime-local leave out seconds that are zero.
_WITHOUT_SECONDS = re.compile(r"([0-9]{4,}-[0-9]{2}-[0-9]{2}[T ])?[0-9]{2}:[0-9]{2}")
_SHOWN = 60  # characters of a wrong value in a message

Texts = Mapping[str, Any]


class WrongValue(Exception):
    """A value is missing, or given twice."""


class _Field(NamedTuple):
    key: str
    kind: Any
    required: bool
    many: bool
    item: Any  # its type, or that of each of many values, without constraints

    @classmethod
    def of(cls, key: str, kind: Any, required: bool) -> _Field:
        bare, many = without_none(bare_type(kind)), is_sequence(kind)
        item = without_none(bare_type((get_args(bare) or (str,))[0])) if many else bare
        return cls(key, kind, required, many, item)

    @property
    def takes_text(self) -> bool:
        return self.item is str or str in get_args(self.item)

    def find_problem(self, values: Sequence[str], place: str) -> Problem | None:
        """Return what is wrong with the values of this field."""
        if not values:
            return (place, "missing") if self.required else None
        if len(values) > 1 and not self.many:
            return place, f"expected one value, got {len(values)}"
        value: Any = list(values) if self.many else values[0]
        try:
            msgspec.convert(value, self.kind, strict=False)
        except msgspec.ValidationError as error:
            sentence, _, inner = str(error).partition(" - at `$")
            told = values[int(inner[1:-2])] if self.many and re.fullmatch(r"\[\d+\]`", inner) else values[0]
            found = f"got {told[:_SHOWN]!r}" + ("..." if len(told) > _SHOWN else "")
            return place, _GOT_TEXT.sub(lambda _: found, sentence)
        except (TypeError, RecursionError):  # a class of another library decides itself
            return None
        return None


class _Fields:
    """Fields of one source.

    :param source: the name of the source, for places: ``/query/size``.
    :param fields: the fields.
    """

    def __init__(self, source: str, fields: Sequence[_Field]) -> None:
        self._source = source
        self._fields = fields
        self._known = {field.key: field for field in fields}
        self._has_many = any(field.many for field in fields)

    def collect(self, values: ManyValues[str], others: Collection[str] = ()) -> dict[str, Any]:
        """Return the values by name; lists for fields that take several.

        :param values: what the client has sent.
        :param others: names that are not returned.
        :raises WrongValue: for several values of a field that takes one.
        """
        found: dict[str, Any] = {}
        for key in values:
            if key in others:
                continue
            given, field = values.get_all(key), self._known.get(key)
            if field is None:
                found[key] = given[-1]
                continue
            clean = self._clean(field, given)
            if len(clean) > 1 and not field.many:
                raise WrongValue
            if clean:
                found[key] = clean if field.many else clean[0]
        return found

    def _clean(self, field: _Field, given: Sequence[str]) -> list[str]:
        """Return values as msgspec understands them."""
        if field.item is bool:
            given = [_BOOLS.get(value.lower(), value) for value in given]
        elif field.item in (time, datetime):
            given = [f"{value}:00" if _WITHOUT_SECONDS.fullmatch(value) else value for value in given]
        if self._source == "form" and not field.takes_text:
            return [value for value in given if value != ""]  # an input element that is left empty
        return list(given)

    def find_problems(self, values: ManyValues[str]) -> list[Problem]:
        """Find the errors in what the client has sent.

        :param values: the names and values.
        """
        problems = []
        for field in self._fields:
            given = self._clean(field, values.get_all(field.key))
            problem = field.find_problem(given, pointer(self._source, field.key))
            if problem is not None:
                problems.append(problem)
        return problems


class SingleFields(_Fields):
    """The parameters of a controller that are fields of one source.

    :param source: the source.
    :param inputs: the parameters; :meth:`read` returns an object with ``f0``, ``f1`` ... in their order.
    """

    def __init__(self, source: str, inputs: Sequence[Input]) -> None:
        super().__init__(source, [_Field.of(each.key, each.kind, each.required) for each in inputs])
        fields = []
        for index, each in enumerate(inputs):
            options: dict[str, Any] = {"name": each.key}
            if not each.required:
                options["default_factory"] = default_maker(each.default)
            fields.append((f"f{index}", each.kind, msgspec.field(**options)))
        self._struct = msgspec.defstruct("Fields", fields, kw_only=True, gc=False)
        is_fixed = all(not each.required and is_constant(each.default) for each in inputs)
        self._defaults = self._struct() if is_fixed else None

    def read(self, values: ManyValues[str]) -> Any:
        """Return the values of the parameters.

        :param values: what the client has sent.
        :raises msgspec.ValidationError: for a missing or wrong value.
        :raises WrongValue: for several values where one is expected.
        """
        last = values._last
        if not last and self._defaults is not None:
            return self._defaults
        if not self._has_many and len(last) == len(values._pairs):
            try:
                return msgspec.convert(last, self._struct, strict=False)
            except msgspec.ValidationError:
                pass  # clients also write booleans in other words
        return msgspec.convert(self.collect(values), self._struct, strict=False)


class FieldsOfClass(_Fields):
    """A parameter whose type is a class with fields, all of one source.

    :param source: the source.
    :param parameter: the parameter.
    :param others: the names that belong to other parameters.
    """

    def __init__(self, source: str, parameter: Input, others: Collection[str]) -> None:
        self._model: Model = find_model(without_none(parameter.kind))
        fields = [_Field.of(each.key, each.kind, each.required) for each in self._model.fields()]
        if self._model.finds_all:
            fields = [each._replace(kind=Any, required=False) for each in fields]
        # A class whose fields are Python names takes the header fields that Header() takes.
        self._names = {_sent_name(source, each.key): each.key for each in fields}
        super().__init__(source, [each._replace(key=_sent_name(source, each.key)) for each in fields])
        self._others = frozenset(others)
        self._make_default = default_maker(parameter.default)
        self._required = parameter.required
        self.errors = self._model.errors

    def read(self, values: ManyValues[str]) -> Any:
        """Return an instance of the class; the default if the client has sent none of the fields.

        :param values: what the client has sent.
        :raises Exception: one of ``errors``, for a missing or wrong value.
        :raises WrongValue: for several values where one is expected.
        """
        if not self._required and not any(key in values for key in self._known):
            return self._make_default()
        found = self.collect(values, self._others)
        return self._model.from_texts({self._names.get(key, key): value for key, value in found.items()})

    def find_problems(self, values: ManyValues[str]) -> list[Problem]:
        """Find the errors in what the client has sent."""
        problems = super().find_problems(values)
        if problems:
            return problems
        try:
            self.read(values)
        except WrongValue:
            return [("/" + self._source, "a value is given twice")]
        except self.errors as error:
            sent = {key: name for name, key in self._names.items()}
            found = self._model.read_error(error, "")
            return [(pointer(self._source) + _renamed(place, sent), told) for place, told in found]
        return []


def _sent_name(source: str, key: str) -> str:
    return key.replace("_", "-").lower() if source == "header" else key


def _renamed(place: str, names: Mapping[str, str]) -> str:
    """Return a place with the name that the client has sent."""
    _, slash, rest = place.partition("/")
    name, *inner = rest.split("/")
    return slash + "/".join([names.get(name, name), *inner])
