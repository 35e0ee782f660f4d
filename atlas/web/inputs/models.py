"""The libraries whose classes describe values: msgspec, which knows dataclasses, TypedDicts and attrs, and pydantic.

A library is not imported here. A class of pydantic is recognized by its methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from functools import lru_cache
from typing import Any, get_args, get_origin, is_typeddict

import msgspec

from atlas.web.requests.dataclass_defaults import find_completion, types_in
from atlas.web.requests.validation import MAX_PROBLEMS, Problem, find_problems, members_of, pointer, split_message

__all__ = ["Model", "ModelField", "find_model", "has_fields", "is_of_pydantic"]


class ModelField(msgspec.Struct, frozen=True):
    """A field of a class.

    :ivar key: its name on the wire.
    :ivar kind: its type.
    :ivar required: whether it has no default.
    """

    key: str
    kind: Any
    required: bool


class Model(ABC):
    """How values of a type are made and checked.

    :ivar errors: the exceptions for a wrong value.
    :ivar finds_all: whether such an exception tells all errors, and not only the first.
    """

    errors: tuple[type[Exception], ...]
    finds_all = False

    @abstractmethod
    def decode(self, body: bytes) -> Any:
        """Convert JSON text to a value."""

    @abstractmethod
    def from_texts(self, values: Mapping[str, Any]) -> Any:
        """Convert names and texts to a value, for a class with fields."""

    @abstractmethod
    def fields(self) -> Iterator[ModelField]:
        """Iterate over the fields of a class."""

    @abstractmethod
    def read_error(self, error: Exception, place: str) -> list[Problem]:
        """Return what an exception tells.

        :param error: one of ``errors``.
        :param place: the place of the whole value.
        """

    def find_problems(self, value: Any, place: str, error: Exception) -> list[Problem]:
        """Find the errors in plain JSON values.

        :param value: the values.
        :param place: the place of the whole value.
        :param error: the exception, one of ``errors``, that they have raised.
        """
        return self.read_error(error, place)


class MsgspecModel(Model):
    """A type that msgspec supports.

    :param kind: the type.
    :raises TypeError: for a type that it does not support.
    """

    errors = (msgspec.ValidationError,)

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        for each in types_in(kind):
            if isinstance(each, msgspec.inspect.CustomType):
                raise TypeError(f"a value of the type {each.cls.__name__} cannot be read from a request: not supported")
        self._decoder = msgspec.json.Decoder(kind)
        self._complete = find_completion(kind)

    def decode(self, body: bytes) -> Any:
        """Convert JSON text to a value."""
        try:
            value = self._decoder.decode(body)
        except msgspec.DecodeError:
            if not body.startswith(BOM_UTF8):
                raise
            value = self._decoder.decode(body[len(BOM_UTF8) :])
        return value if self._complete is None else self._complete(value)

    def from_texts(self, values: Mapping[str, Any]) -> Any:
        """Convert names and texts to a value."""
        value = msgspec.convert(values, self._kind, strict=False)
        return value if self._complete is None else self._complete(value)

    def fields(self) -> Iterator[ModelField]:
        """Iterate over the fields of a class."""
        for key, (kind, required) in members_of(self._kind).items():
            yield ModelField(key, kind, required)

    def read_error(self, error: Exception, place: str) -> list[Problem]:
        """Return what an exception tells."""
        return [split_message(str(error), place)]

    def find_problems(self, value: Any, place: str, error: Exception) -> list[Problem]:
        """Find the errors in plain JSON values."""
        return find_problems(value, self._kind, place)


class PydanticModel(Model):
    """A type in which a class of pydantic 2 occurs, a ``BaseModel`` or a dataclass of pydantic.

    :param kind: the type.
    :raises TypeError: for a type that pydantic does not support.
    """

    finds_all = True

    def __init__(self, kind: Any) -> None:
        from pydantic import TypeAdapter, ValidationError
        from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError

        if any(isinstance(each, msgspec.Meta) for each in getattr(kind, "__metadata__", ())):
            raise TypeError("constraints of a class of pydantic are those of its fields")
        self.errors = (ValidationError,)
        self._kind = kind
        try:
            self._adapter: Any = TypeAdapter(kind)
        except (PydanticUserError, PydanticUndefinedAnnotation) as error:
            raise TypeError(str(error).partition("\n")[0]) from None

    def decode(self, body: bytes) -> Any:
        """Convert JSON text to a value."""
        return self._adapter.validate_json(body.removeprefix(BOM_UTF8))

    def from_texts(self, values: Mapping[str, Any]) -> Any:
        """Convert names and texts to a value."""
        return self._adapter.validate_python(values)

    def fields(self) -> Iterator[ModelField]:
        """Iterate over the fields of the class."""
        for name, field in self._kind.__pydantic_fields__.items():
            key = field.validation_alias or field.alias
            yield ModelField(key if isinstance(key, str) else name, field.annotation, field.is_required())

    def read_error(self, error: Exception, place: str) -> list[Problem]:
        """Return what an exception tells."""
        return [(place + pointer(*map(str, each["loc"])), each["msg"]) for each in _details(error)]

    def find_problems(self, value: Any, place: str, error: Exception) -> list[Problem]:
        """Find the errors in plain JSON values."""
        return [(place + pointer(*_steps(value, each["loc"])), each["msg"]) for each in _details(error)]


def _details(error: Any) -> list[Any]:
    """Return the errors of pydantic without the values, which may be secrets."""
    details: list[Any] = error.errors(include_url=False, include_context=False, include_input=False)
    return details[:MAX_PROBLEMS]


def _steps(value: Any, location: Sequence[str | int]) -> Iterator[str]:
    """Iterate over the parts of a location that are in the value: pydantic adds the names of types in a union."""
    for index, step in enumerate(location):
        inside = step in value if isinstance(value, dict) else isinstance(value, list) and isinstance(step, int)
        if not inside and (index + 1 < len(location) or not isinstance(value, dict)):
            continue
        yield str(step)
        value = value[step] if inside else None


def find_model(kind: Any) -> Model:
    """Return how values of a type are made and checked.

    :param kind: the type.
    :raises TypeError: for a type that no library knows.
    """
    try:
        hash(kind)
    except TypeError:
        return _make_model(kind)
    return _known_model(kind)


def _make_model(kind: Any) -> Model:
    return PydanticModel(kind) if is_of_pydantic(kind) else MsgspecModel(kind)


_known_model = lru_cache(maxsize=1024)(_make_model)  # most routes take values of the same few types


def has_fields(kind: Any) -> bool:
    """Return whether a type is a class with fields: a Struct, dataclass, TypedDict, class of attrs or pydantic.

    :param kind: the type.
    """
    kind = get_origin(kind) or kind
    if not isinstance(kind, type):
        return False
    return (
        issubclass(kind, msgspec.Struct)
        or is_dataclass(kind)
        or is_typeddict(kind)
        or hasattr(kind, "__attrs_attrs__")
        or _is_pydantic(kind)
    )


def is_of_pydantic(kind: Any) -> bool:
    """Return whether a class of pydantic occurs in a type.

    :param kind: the type: ``Item``, ``list[Item]``, ``Item | None`` ...
    """
    return _is_pydantic(kind) or any(map(is_of_pydantic, get_args(kind)))


def _is_pydantic(kind: Any) -> bool:
    return isinstance(kind, type) and hasattr(kind, "__pydantic_validator__") and hasattr(kind, "__pydantic_fields__")
