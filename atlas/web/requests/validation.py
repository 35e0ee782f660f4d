"""JSON bodies: parsed and validated. Every error is reported with its place, a JSON pointer (RFC 6901).

msgspec stops at the first error, which makes it fast. Only after an error the value is checked a second time, part by
part, for the other errors.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from json import detect_encoding
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    NotRequired,
    Required,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import msgspec

from atlas.web.exceptions import BadRequest, UnprocessableContent
from atlas.web.requests.dataclass_defaults import find_completion

__all__ = [
    "BODY",
    "MAX_PROBLEMS",
    "Problem",
    "find_problems",
    "members_of",
    "parse_json",
    "pointer",
    "refuse",
    "split_message",
]

# Enough errors to correct a form by, and a bound on the work for an invalid body.
MAX_PROBLEMS = 20
MAX_DEPTH = 8

BODY = "/body"
Problem: TypeAlias = tuple[str, str]
"""Place and message of an error."""

_decode = msgspec.json.Decoder().decode
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[([^\]]*)\]")


def parse_json(body: bytes, kind: Any = None) -> Any:
    """Parse a JSON text (RFC 8259), and validate its value.

    :param body: the text, as UTF-8. A byte order mark before it is ignored (RFC 8259 8.1).
    :param kind: a type that msgspec supports: a dataclass, a Struct, ``list[int]`` ...; None for plain JSON values.
    :returns: the value, an instance of ``kind``.
    :raises BadRequest: if the text is not JSON, or nested too deeply.
    :raises UnprocessableContent: if the value does not have the type; its ``errors`` member lists ``path``,
        such as ``/body/lines/2/qty``, and ``detail`` of each error.
    """
    try:
        if kind is None:
            return _decode(body)
        value = msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        if kind is None:  # a number that Python cannot represent
            raise BadRequest(f"the body is not JSON: {error}") from None
        raise _refusal(body, kind, error) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if body.startswith(BOM_UTF8) and not body.startswith(BOM_UTF8, len(BOM_UTF8)):
            return parse_json(body[len(BOM_UTF8) :], kind)
        raise _malformed(body, error) from None
    except RecursionError:
        raise BadRequest("the JSON is nested too deeply") from None
    complete = find_completion(kind)
    return value if complete is None else complete(value)


def _malformed(body: bytes, error: Exception) -> BadRequest:
    encoding = detect_encoding(body)
    if encoding not in ("utf-8", "utf-8-sig"):
        return BadRequest(f"the body is not JSON: expected UTF-8 (RFC 8259 8.1), got {encoding.upper()}")
    return BadRequest(f"the body is not JSON: {error}")


def _refusal(body: bytes, kind: Any, error: msgspec.ValidationError) -> BadRequest | UnprocessableContent:
    try:
        # The typed decoder stopped at the first error; the text after it may be malformed.
        problems = find_problems(_decode(body), kind)
    except msgspec.ValidationError:  # a number that Python cannot represent
        problems = []
    except (msgspec.DecodeError, UnicodeDecodeError) as malformed:
        return BadRequest(f"the body is not JSON: {malformed}")
    except RecursionError:
        return BadRequest("the JSON is nested too deeply")
    return refuse(problems or [split_message(str(error), BODY)])


def refuse(problems: list[Problem]) -> UnprocessableContent:
    """Create the exception for wrong values.

    :param problems: place and message of each, at least one.
    :returns: 422; its ``errors`` list ``path`` and ``detail`` of each.
    """
    path, detail = problems[0]
    refusal = UnprocessableContent(f"{path}: {detail}" if path else detail)
    refusal.members["errors"] = [{"path": path, "detail": detail} for path, detail in problems]
    return refusal


def find_problems(value: Any, kind: Any, place: str = BODY) -> list[Problem]:
    """Find the errors in a decoded value.

    :param value: plain JSON values.
    :param kind: the type that the value should have.
    :param place: the place of the value, ``/body`` by default.
    :returns: place and message of each error, at most :data:`MAX_PROBLEMS`; nested at most :data:`MAX_DEPTH` levels.
    """
    found: list[Problem] = []
    _collect(value, kind, place, 0, found)
    return found


def _collect(value: Any, kind: Any, path: str, depth: int, found: list[Problem]) -> None:
    if len(found) >= MAX_PROBLEMS:
        return
    try:
        msgspec.convert(value, kind, str_keys=True)
        return
    except msgspec.ValidationError as error:
        first = split_message(str(error), path)
    before = len(found)
    if depth < MAX_DEPTH:
        for part, its_kind, its_path in _parts(value, kind, path):
            if its_kind is None:
                found.append((its_path, part))
            else:
                _collect(part, its_kind, its_path, depth + 1, found)
    if len(found) == before:
        found.append(first)
    del found[MAX_PROBLEMS:]


def split_message(message: str, path: str) -> Problem:
    """Split a message of msgspec, ``Expected ... - at `$.lines[2].qty```, into place and message."""
    sentence, _, place = message.partition(" - at `$")
    path += pointer(*(name or index for name, index in _STEP.findall(place[:-1])))
    if (missing := _MISSING.fullmatch(sentence)) is not None:
        return path + pointer(missing[1]), "missing"
    return path, sentence


def pointer(*names: str) -> str:
    """Return a JSON pointer (RFC 6901 3).

    :param names: names of members, and numbers of items.
    """
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)


Part: TypeAlias = tuple[Any, Any, str]


def _parts(value: Any, kind: Any, path: str) -> Iterator[Part]:
    """Iterate over the parts of a value with their types and paths; a missing part is a message without a type."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, UnionType):
        others = [each for each in get_args(kind) if each is not NoneType]
        if len(others) == 1:
            yield from _parts(value, others[0], path)
        return
    if isinstance(value, dict):
        yield from _parts_of_object(value, kind, path)
    elif isinstance(value, list):
        arguments = get_args(kind)
        if len(arguments) == 1 or arguments[1:] == (...,):
            for index, item in enumerate(value):
                yield item, arguments[0], f"{path}/{index}"


def _parts_of_object(value: dict[str, Any], kind: Any, path: str) -> Iterator[Part]:
    members, arguments = members_of(kind), get_args(kind)
    if not members and len(arguments) == 2:
        for name, item in value.items():
            yield item, arguments[1], path + pointer(name)
        return
    for name, (its_kind, required) in members.items():
        if name in value:
            yield value[name], its_kind, path + pointer(name)
        elif required:
            yield "missing", None, path + pointer(name)


def members_of(kind: Any) -> Mapping[str, tuple[Any, bool]]:
    """Return the members of a class by their names in JSON: the type, and whether the member is required."""
    cls = get_origin(kind) or kind
    if isinstance(cls, type) and issubclass(cls, msgspec.Struct):
        if cls.__struct_config__.array_like:
            return {}
        return {field.encode_name: (field.type, field.required) for field in msgspec.structs.fields(kind)}
    if not (is_dataclass(cls) or is_typeddict(cls) or hasattr(cls, "__attrs_attrs__")):
        return {}
    info: Any = msgspec.inspect.type_info(kind)
    known = {field.name: field for field in info.fields}
    hints = get_type_hints(cls, include_extras=True).items()  # in the order of the class
    return {
        known[name].encode_name: (_without_presence(hint), known[name].required)
        for name, hint in hints
        if name in known
    }


def _without_presence(kind: Any) -> Any:
    """Return the type of a member of a TypedDict without ``Required`` and ``NotRequired``."""
    return get_args(kind)[0] if get_origin(kind) in (Required, NotRequired) else kind
