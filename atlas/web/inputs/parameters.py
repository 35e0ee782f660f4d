"""Reads the signature of a controller: which values it takes, from where, and of which types."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial as partial_function
from typing import Annotated, Any, Literal, NamedTuple, NewType, Union, get_args, get_origin
from uuid import UUID

import msgspec

from atlas.web.controllers import controller_name
from atlas.web.inputs.markers import Body, Form, Header, Marker, Path, Provide
from atlas.web.inputs.models import find_model, has_fields, is_of_pydantic
from atlas.web.requests.request_head import RequestHead
from atlas.web.requests.uploads import AsyncUpload, Upload

__all__ = ["Input", "Inputs", "bare_type", "check_order", "is_positional", "is_sequence", "read_inputs", "without_none"]

_SCALARS = (str, int, float, bool, bytes, Decimal, date, datetime, time, timedelta, UUID)
_SEQUENCES = (list, set, frozenset, tuple)
_CONVERTED = {"string": str, "int": int, "float": float, "uuid": UUID, "date": date, "slug": str, "path": str}
_ALIAS: Any = getattr(typing, "TypeAliasType", ())  # the statement "type", since Python 3.12
_REQUEST_NAMES = ("request", "req", "_request", "_")
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Input(NamedTuple):
    """A parameter of a controller.

    :ivar name: its name.
    :ivar source: ``request``, ``path``, ``query``, ``header``, ``cookie``, ``form``, ``file``, ``body`` or ``provide``.
    :ivar key: the name that the client uses; "" for a body, and for a class with fields.
    :ivar kind: its type, with the constraints.
    :ivar default: its default; ``inspect.Parameter.empty`` for none.
    :ivar by_name: whether it is passed by name.
    :ivar marker: its marker, if there is one.
    :ivar converted: whether a value of the path, or of the request, is passed as it is.
    """

    name: str
    source: str
    key: str
    kind: Any
    default: Any
    by_name: bool
    marker: Marker | None = None
    converted: bool = False

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.default is inspect.Parameter.empty

    @property
    def has_fields(self) -> bool:
        """Whether its type is a class with fields, each of which is an input of its own."""
        return not self.key and self.source in ("query", "form", "header", "cookie")


class Inputs(NamedTuple):
    """The parameters of a controller.

    :ivar controller: the controller.
    :ivar all: its parameters, in the order of its signature.
    :ivar path: the names of the parameters of the path, in their order.
    """

    controller: Callable[..., Any]
    all: tuple[Input, ...]
    path: tuple[str, ...]

    @property
    def is_plain(self) -> bool:
        """Whether the controller is called with the request and the values of the path as they are."""
        sources = [each.source for each in self.all]
        return (
            sources == ["request"] + ["path"] * len(self.path)
            and tuple(each.name for each in self.all[1:]) == self.path
            and all(each.converted and not each.by_name for each in self.all)
        )


def is_positional(controller: Callable[..., Any], path: Sequence[str]) -> bool:
    """Return whether a controller takes the request and the values of the path by position: no parameter behind the
    request has a type or has to be passed by name, or there are ``*args``. ``Any`` is no type.

    :param controller: the controller.
    :param path: the names of the parameters of the path.
    """
    try:
        parameters = list(inspect.signature(controller).parameters.values())
    except (TypeError, ValueError):  # some built-in functions have no signature
        return True
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return True
    if not parameters or not _is_request(parameters[0], _evaluate(controller, parameters[0]), path):
        return False
    return all(
        _evaluate(controller, each) in (each.empty, Any)
        and (each.kind in _POSITIONAL or each.default is not each.empty)
        for each in parameters[1:]
        if each.kind is not each.VAR_KEYWORD
    )


def check_order(controller: Callable[..., Any], path: Sequence[str]) -> None:
    """Check the names of a controller that takes the values of the path by position.

    :param controller: the controller.
    :param path: the names of the parameters of the path, in their order.
    :raises ValueError: for a name of the path at the place of another one.
    """
    try:
        parameters = list(inspect.signature(controller).parameters.values())[1:]
    except (TypeError, ValueError):
        return
    names = [each.name for each in parameters if each.kind in _POSITIONAL][: len(path)]
    for position, name in enumerate(names):
        if name in path and path[position] != name:
            raise ValueError(
                f"the controller {controller_name(controller)} takes ({', '.join(names)}), and the path has "
                f"({', '.join(path)}): without annotations they are passed by position"
            )


def read_inputs(
    controller: Callable[..., Any], path: Mapping[str, Any], *, is_async: bool, partial: bool = False
) -> Inputs:
    """Read the parameters of a controller that takes the values of the path by name.

    :param controller: the controller.
    :param path: the parameters of the path, with their converters, in their order.
    :param is_async: whether the controller is awaited.
    :param partial: whether it may leave out parameters of the path, as a dependency may; False by default.
    :raises ValueError: for a signature that does not fit the path, or a type that no value of a request has.
    """
    found: list[Input] = []
    for index, parameter in enumerate(inspect.signature(controller).parameters.values()):
        if isinstance(controller, partial_function) and parameter.name in controller.keywords:
            continue  # the program has passed it
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            raise _error(controller, parameter, "expected parameters with names")
        annotation = _evaluate(controller, parameter)
        if _is_request(parameter, annotation, path, first=index == 0):
            kind = parameter.kind is parameter.KEYWORD_ONLY
            found.append(Input(parameter.name, "request", "", annotation, parameter.empty, kind, converted=True))
            continue
        try:
            made = _read(parameter, annotation, path, is_async=is_async)
        except (TypeError, ValueError) as error:
            raise _error(controller, parameter, str(error)) from None
        if made is not None:
            found.append(made)
    _check(controller, found, {} if partial else path)
    return Inputs(controller, tuple(found), tuple(path))


def _error(controller: Callable[..., Any], parameter: inspect.Parameter, message: str) -> ValueError:
    return ValueError(f"the controller {controller_name(controller)}: {parameter.name}: {message}")


def _check(controller: Callable[..., Any], found: Sequence[Input], path: Mapping[str, Any]) -> None:
    """Check the parameters together."""
    name = controller_name(controller)
    taken = {each.name for each in found if each.source == "path"}
    if missing := [each for each in path if each not in taken]:
        others = [each.name for each in found if each.source == "query"]
        told = f"; it takes {', '.join(others)} of the query" if others else ""
        raise ValueError(f"the controller {name} does not take {', '.join(missing)} of the path{told}")
    bodies = [each for each in found if each.source == "body"]
    if len(bodies) > 1:
        names = " and ".join(each.name for each in bodies)
        raise ValueError(f"the controller {name} takes the body twice, as {names}: use one class with two fields")
    if bodies and (forms := [each.name for each in found if each.source in ("form", "file")]):
        raise ValueError(f"the controller {name} takes {bodies[0].name} of a JSON body, and {forms[0]} of a form")
    keys = [(each.source, each.key) for each in found if each.key]
    if twice := [key for key in keys if keys.count(key) > 1]:
        raise ValueError(f"the controller {name} takes the {twice[0][0]} value {twice[0][1]!r} twice")


def _is_request(parameter: inspect.Parameter, annotation: Any, path: Any, *, first: bool = True) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, RequestHead):
        return True
    if isinstance(annotation, _Unknown):  # imported for type checkers only, perhaps
        return first and ("Request" in annotation.text or parameter.name in _REQUEST_NAMES)
    untyped = annotation in (parameter.empty, Any)
    return first and untyped and (parameter.name in _REQUEST_NAMES or parameter.name not in path)


class _Unknown(NamedTuple):
    """An annotation that cannot be evaluated."""

    text: str
    reason: str


def _evaluate(controller: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """Return an annotation; one that is text, as with ``from __future__ import annotations``, is evaluated."""
    annotation = parameter.annotation
    if not isinstance(annotation, str):
        return annotation
    inner: Any = inspect.unwrap(getattr(controller, "func", controller))
    inner = getattr(inner, "__func__", inner)
    if inspect.isclass(inner):
        names = dict(vars(sys.modules[inner.__module__]))
    else:
        called = inner if hasattr(inner, "__globals__") else vars(type(inner)).get("__call__")
        names = dict(getattr(called, "__globals__", {}))
    closure = inspect.getclosurevars(inner).nonlocals if isinstance(inner, types.FunctionType) else {}
    try:
        return eval(annotation, names, closure)
    except Exception as error:
        return _Unknown(annotation, f"{type(error).__name__}: {error}")


def _read(parameter: inspect.Parameter, annotation: Any, path: Mapping[str, Any], *, is_async: bool) -> Input | None:
    by_name = parameter.kind is parameter.KEYWORD_ONLY
    default = parameter.default
    if isinstance(annotation, _Unknown):
        if parameter.name in path:
            annotation = Any
        else:
            raise ValueError(f"the annotation {annotation.text!r} cannot be evaluated: {annotation.reason}")
    if annotation is parameter.empty:
        if parameter.name not in path:
            if default is parameter.empty:
                raise ValueError("it is not in the path, and has no annotation that says where it comes from")
            return None  # a value of the program, as in lambda request, page=page: ...
        annotation = Any
    kind, marker = _split_marker(annotation)
    if isinstance(default, Marker):
        raise TypeError(f"expected Annotated[{_shown(kind)}, {default!r}], got the marker as the default")
    if isinstance(marker, Provide):
        function = kind if marker.function is None else marker.function
        if not callable(function):
            raise TypeError(f"Provide(): expected a class as the type, or Provide(function), got {_shown(kind)}")
        return Input(parameter.name, "provide", "", kind, default, by_name, Provide(function))
    if parameter.name in path:
        return _from_path(parameter.name, kind, marker, path[parameter.name], by_name)
    source, key = _find_source(parameter.name, kind, marker, is_async=is_async)
    if marker is not None and marker.meta is not None and source != "file":
        kind = _constrained(kind, marker.meta)
    if source != "file" and not (source == "body" and without_none(bare_type(kind)) in (str, bytes)):
        find_model(kind)
    return Input(parameter.name, source, key, kind, default, by_name, marker)


def _split_marker(annotation: Any) -> tuple[Any, Marker | None]:
    """Split ``Annotated[int, Query(), Meta()]`` into the type with the rest, and the marker."""
    if isinstance(annotation, _ALIAS):
        return _split_marker(annotation.__value__)
    if get_origin(annotation) is not Annotated:
        return annotation, None
    kind, *rest = get_args(annotation)
    made = [each() if isinstance(each, type) and issubclass(each, Marker) else each for each in rest]
    markers = [each for each in made if isinstance(each, Marker)]
    if len(markers) > 1:
        raise TypeError(f"expected one of {', '.join(map(repr, markers))}")
    for each in made:
        if isinstance(each, msgspec.Meta):
            kind = _constrained(kind, each)
        elif not isinstance(each, Marker) and is_of_pydantic(kind):
            kind = Annotated[kind, each]
    return kind, markers[0] if markers else None


def _constrained(kind: Any, meta: msgspec.Meta) -> Any:
    """Return a type with constraints; those of ``X | None`` hold for ``X``."""
    if get_origin(kind) in (Union, types.UnionType):
        others = [each for each in get_args(kind) if each is not type(None)]
        if len(others) == 1:
            return Union[Annotated[others[0], meta], None]  # noqa: UP007  # "|" refuses forward references
    return Annotated[kind, meta]


def _find_source(name: str, kind: Any, marker: Marker | None, *, is_async: bool) -> tuple[str, str]:
    """Return where a value comes from, and the name that the client uses."""
    bare = without_none(bare_type(kind))
    item = get_args(bare)[0] if is_sequence(bare) and get_args(bare) else bare
    if item in (Upload, AsyncUpload):
        expected = AsyncUpload if is_async else Upload
        if item is not expected:
            raise TypeError(f"expected {expected.__name__} in this kind of function, got {item.__name__}")
        if marker is not None and not isinstance(marker, Form):
            raise TypeError(f"an upload comes from a form, and not from {marker!r}")
        return "file", (marker.alias if marker is not None else None) or name
    if marker is None:
        if _is_scalar(item):
            return "query", name
        return "body", ""
    if isinstance(marker, Path):
        raise ValueError("the path has no such parameter")
    if isinstance(marker, Body):
        return "body", ""
    if has_fields(bare):
        return marker.source, ""
    if not _is_scalar(item) and bare is not Any:
        raise TypeError(f"expected a number, a text, a date, a list of them or a class with fields, got {_shown(kind)}")
    if isinstance(marker, Header):
        return "header", (marker.alias or name.replace("_", "-")).lower()
    return marker.source, marker.alias or name


def _from_path(name: str, kind: Any, marker: Marker | None, converter: Any, by_name: bool) -> Input:
    """Check the type of a parameter of the path."""
    if marker is not None and not isinstance(marker, Path):
        raise TypeError(f"it is in the path, and not {marker!r}")
    meta = marker.meta if marker is not None else None
    converted = _CONVERTED.get(converter.native)
    bare = bare_type(kind)
    direct = bare is Any or converted is None or bare is converted or (bare is float and converted is int)
    if not direct and not (converted is str and _is_named_text(bare)):
        hint = {int: "int", float: "float", UUID: "uuid", date: "date", str: "string"}.get(bare)
        told = f"; write {{{name}:{hint}}}" if hint is not None else ""
        raise TypeError(f"the path has {_shown(converted)}, and the controller {_shown(bare)}{told}")
    if meta is not None:
        kind = Annotated[kind, meta]
    plain = direct and get_origin(kind) is not Annotated
    return Input(name, "path", name, kind, inspect.Parameter.empty, by_name, marker, converted=plain)


def _is_named_text(kind: Any) -> bool:
    return get_origin(kind) is Literal or (isinstance(kind, type) and issubclass(kind, Enum))


def bare_type(kind: Any) -> Any:
    """Return a type without ``Annotated`` and NewType.

    :param kind: the type.
    """
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif isinstance(kind, NewType):
            kind = kind.__supertype__
        elif isinstance(kind, _ALIAS):
            kind = kind.__value__
        else:
            return kind


def without_none(kind: Any) -> Any:
    """Return ``X`` of ``X | None``; another type as it is.

    :param kind: the type.
    """
    if get_origin(kind) in (Union, types.UnionType):
        others = [each for each in get_args(kind) if each is not type(None)]
        if len(others) == 1:
            return bare_type(others[0])
    return kind


def is_sequence(kind: Any) -> bool:
    """Return whether a type is a list, a set, or a tuple of any length.

    :param kind: the type, without None.
    """
    kind = without_none(bare_type(kind))
    origin = get_origin(kind) or kind
    return isinstance(origin, type) and (origin in _SEQUENCES or origin in (Sequence, typing.Sequence))


def _is_scalar(kind: Any) -> bool:
    kind = without_none(bare_type(kind))
    if get_origin(kind) in (Union, types.UnionType):
        return all(_is_scalar(each) for each in get_args(kind) if each is not type(None))
    return kind in _SCALARS or _is_named_text(kind)


def _shown(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")
