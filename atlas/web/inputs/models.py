"""The libraries whose classes describe values: msgspec, which knows dataclasses, TypedDicts and attrs, and pydantic.

A library is not imported here. A class of pydantic is recognized by its methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints, is_typeddict

import msgspec

from atlas.web.requests.dataclass_defaults import find_completion, types_in
from atlas.web.requests.validation import Problem, find_problems, pointer

__all__ = ["Model", "ModelField", "find_model", "has_fields"]


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
    """

    errors: tuple[type[Exception], ...]

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
    def find_problems(self, value: Any, place: str) -> list[Problem]:
        """Find the errors in plain JSON values.

        :param value: the values.
        :param place: the place of the whole value.
        """


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
        kind = self._kind
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            for field in msgspec.structs.fields(kind):
                yield ModelField(field.encode_name, field.type, field.required)
            return
        hints = get_type_hints(kind, include_extras=True)
        required = {field.name: field.required for field in getattr(msgspec.inspect.type_info(kind), "fields", ())}
        names = [field.name for field in fields(kind)] if is_dataclass(kind) else list(required)
        for name in names:
            yield ModelField(name, hints[name], required.get(name, False))

    def find_problems(self, value: Any, place: str) -> list[Problem]:
        """Find the errors in plain JSON values."""
        return find_problems(value, self._kind, place)


class PydanticModel(Model):
    """A class of pydantic 2, ``BaseModel``.

    :param kind: the class.
    """

    def __init__(self, kind: Any) -> None:
        from pydantic import ValidationError

        self.errors = (ValidationError,)
        self._kind = kind

    def decode(self, body: bytes) -> Any:
        """Convert JSON text to a value."""
        return self._kind.model_validate_json(body)

    def from_texts(self, values: Mapping[str, Any]) -> Any:
        """Convert names and texts to a value."""
        return self._kind.model_validate(values)

    def fields(self) -> Iterator[ModelField]:
        """Iterate over the fields of the class."""
        for name, field in self._kind.model_fields.items():
            key = field.validation_alias or field.alias
            yield ModelField(key if isinstance(key, str) else name, field.annotation, field.is_required())

    def find_problems(self, value: Any, place: str) -> list[Problem]:
        """Find the errors in plain JSON values."""
        try:
            self._kind.model_validate(value)
        except self.errors as error:
            told: Any = error
            return [
                (place + pointer(*map(str, each["loc"])), each["msg"])
                for each in told.errors(include_url=False, include_context=False, include_input=False)
            ]
        return []


def find_model(kind: Any) -> Model:
    """Return how values of a type are made and checked.

    :param kind: the type.
    :raises TypeError: for a type that no library knows.
    """
    if _is_pydantic(kind):
        return PydanticModel(kind)
    return MsgspecModel(kind)


def has_fields(kind: Any) -> bool:
    """Return whether a type is a class with fields: a Struct, dataclass, TypedDict, class of attrs or pydantic.

    :param kind: the type.
    """
    if not isinstance(kind, type):
        return False
    return (
        issubclass(kind, msgspec.Struct)
        or is_dataclass(kind)
        or is_typeddict(kind)
        or hasattr(kind, "__attrs_attrs__")
        or _is_pydantic(kind)
    )


def _is_pydantic(kind: Any) -> bool:
    return isinstance(kind, type) and hasattr(kind, "model_validate_json") and hasattr(kind, "model_fields")
