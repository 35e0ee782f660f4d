"""The formats of access log lines: uvicorn's, gunicorn's atoms, or JSON.

A formatter takes a batch of records. Work that is done once per batch, such as the search for characters that need
escaping, then costs little per response.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from atlas.reasons import REASON_PHRASES
from atlas.server.logs.escaping import escape
from atlas.server.logs.json_format import utc_time

__all__ = ["ATOMS", "Fields", "Formatter", "Record", "fields_of", "make_formatter"]

Fields: TypeAlias = Iterable[tuple[bytes, bytes]]
Record: TypeAlias = tuple[
    tuple[str, int] | str | None,  # client
    str,  # method
    bytes,  # request target, not decoded
    str,  # HTTP version
    int,  # status
    int,  # size of the body in bytes
    float,  # wall time of the end of the response
    float,  # duration in seconds
    Fields,  # request header fields, names in lower case
    Fields | None,  # response header fields
]
Formatter: TypeAlias = Callable[[Iterable[Record]], list[str]]
_Atom: TypeAlias = Callable[[Record], str]

_SAFE = bytes(set(range(0x20, 0x7F)) - set(b'"\\'))
_ATOM_PATTERN = re.compile(r"%\((?:\{([^}]+)\}([ieo])|([A-Za-z]+))\)s|%%")


def make_formatter(pattern: str | None, use_colors: bool) -> Formatter:
    """Return the function that turns records into lines, each with its newline.

    :param pattern: None for uvicorn's format, ``"json"``, or text with gunicorn's atoms.
    :param use_colors: color uvicorn's format; the other formats have no colors.
    :raises ValueError: for an atom that does not exist.
    """
    if pattern is None:
        return _uvicorn_colored if use_colors else _uvicorn
    if pattern == "json":
        return lambda records: [_json(record) for record in records]
    return _compile(pattern)


# ----------------------------------------------------------------------------------------------- uvicorn's format


def _status_color(status: int) -> str:
    return {1: "97", 2: "32", 3: "33", 4: "31", 5: "91"}.get(status // 100, "37")


# The ends of lines, one for each status of three digits, made once.
_ENDS = {status: f'" {status} {REASON_PHRASES.get(status, "")}'.rstrip() + "\n" for status in range(100, 1000)}
_COLORED_ENDS = {status: f'\033[0m" \033[{_status_color(status)}m{end[2:-1]}\033[0m\n' for status, end in _ENDS.items()}


def _uvicorn(records: Iterable[Record]) -> list[str]:
    ends = _ENDS
    if _any_unsafe(records):
        records = [_with_safe_target(record) for record in records]
    return [
        f'INFO:     {client[0]}:{client[1]} - "{method} {target.decode("ascii")} HTTP/{version}{ends[status]}'
        if client.__class__ is tuple
        else f'INFO:     {client or "-"} - "{method} {target.decode("ascii")} HTTP/{version}{ends[status]}'
        for client, method, target, version, status, _, _, _, _, _ in records
    ]


def _uvicorn_colored(records: Iterable[Record]) -> list[str]:
    return [
        f'\033[32mINFO\033[0m:     {_address(record)} - "\033[1m{record[1]} {_target(record)} '
        f"HTTP/{record[3]}{_COLORED_ENDS[record[4]]}"
        for record in records
    ]


def _any_unsafe(records: Iterable[Record]) -> bool:
    """Return whether any target has a byte to escape, found by deleting all others in one call."""
    return bool(b"".join([record[2] for record in records]).translate(None, _SAFE))


def _with_safe_target(record: Record) -> Record:
    return (*record[:2], _target(record).encode("ascii"), *record[3:])


# -------------------------------------------------------------------------------------------- parts of a record


def _text(data: bytes) -> str:
    """Return bytes from the wire as ASCII text, with controls, quotes, backslashes and other bytes as ``\\xNN``."""
    if not data.translate(None, _SAFE):
        return data.decode("ascii")
    return escape(data.decode("latin-1")).encode("ascii", "backslashreplace").decode("ascii")


def _address(record: Record) -> str:
    client = record[0]
    return f"{client[0]}:{client[1]}" if isinstance(client, tuple) else _host(record)


def _host(record: Record) -> str:
    client = record[0]
    return client[0] if isinstance(client, tuple) else escape(client) if client else "-"


def _target(record: Record) -> str:
    return _text(record[2])


def _field(fields: Fields | None, name: bytes) -> str:
    values = [value for key, value in fields or () if key.lower() == name]
    return _text(b", ".join(values)) if values else "-"


def _user(record: Record) -> str:
    """Return the user name in ``Authorization: Basic`` (RFC 7617), which is not verified."""
    for name, value in record[8]:
        if name == b"authorization" and value[:6].lower() == b"basic ":
            try:
                credentials = base64.b64decode(value[6:].strip(), validate=True)
            except binascii.Error:
                return "-"
            return _text(credentials.partition(b":")[0]) or "-"
    return "-"


def _date(record: Record) -> str:
    return time.strftime("[%d/%b/%Y:%H:%M:%S %z]", time.localtime(record[6]))


# ------------------------------------------------------------------------------------------------ gunicorn's atoms

ATOMS: dict[str, _Atom] = {
    "h": _host,
    "l": lambda record: "-",
    "u": _user,
    "t": _date,
    "r": lambda record: f"{record[1]} {_target(record)} HTTP/{record[3]}",
    "m": lambda record: record[1],
    "U": lambda record: _target(record).partition("?")[0],
    "q": lambda record: _target(record).partition("?")[2],
    "H": lambda record: f"HTTP/{record[3]}",
    "s": lambda record: str(record[4]),
    "B": lambda record: str(record[5]),
    "b": lambda record: str(record[5]) if record[5] else "-",
    "f": lambda record: _field(record[8], b"referer"),
    "a": lambda record: _field(record[8], b"user-agent"),
    "T": lambda record: str(int(record[7])),
    "D": lambda record: str(int(record[7] * 1_000_000)),
    "M": lambda record: str(int(record[7] * 1000)),
    "L": lambda record: f"{record[7]:.6f}",
    "p": lambda record: f"<{os.getpid()}>",
}


def _compile(pattern: str) -> Formatter:
    """Split ``pattern`` into literal text and functions of the record."""
    parts: list[str | _Atom] = []
    position = 0
    for match in _ATOM_PATTERN.finditer(pattern):
        parts += [_literal(pattern[position : match.start()]), _atom(match)]
        position = match.end()
    parts += [_literal(pattern[position:]), "\n"]
    used = [part for part in parts if part]
    return lambda records: [
        "".join([part if isinstance(part, str) else part(record) for part in used]) for record in records
    ]


def _literal(text: str) -> str:
    if "%" in text:
        raise ValueError(f"expected atoms as '%(h)s' and '%%', got {text!r}")
    return text.replace("\\t", "\t")


def _atom(match: re.Match[str]) -> str | _Atom:
    name, source, letter = match.groups()
    if name is None and letter is None:
        return "%"
    if letter is not None:
        if letter not in ATOMS:
            raise ValueError(f"expected one of the atoms {' '.join(ATOMS)}, got '%({letter})s'")
        return ATOMS[letter]
    key = name.lower().encode("latin-1", "replace")
    if source == "i":
        return lambda record: _field(record[8], key)
    if source == "o":
        return lambda record: _field(record[9], key)
    return escape(os.environ.get(name, "-"))


# ------------------------------------------------------------------------------------------------------------ JSON


def _json(record: Record) -> str:
    about = {"time": utc_time(record[6]), "level": "info", "logger": "atlas.access"}
    return json.dumps(about | fields_of(record)) + "\n"  # ASCII only, with controls as \uNNNN


def fields_of(record: Record) -> dict[str, Any]:
    """Return the fields of a record by name, as they are in JSON."""
    path, _, query = record[2].decode("latin-1").partition("?")
    return {
        "client": record[0][0] if isinstance(record[0], tuple) else record[0],
        "method": record[1],
        "path": path,
        "query": query,
        "protocol": f"HTTP/{record[3]}",
        "status": record[4],
        "bytes": record[5],
        "duration_ms": round(record[7] * 1000, 3),
        "request_id": _field_or_none(record[9], b"x-request-id") or _field_or_none(record[8], b"x-request-id"),
        "referer": _field_or_none(record[8], b"referer"),
        "user_agent": _field_or_none(record[8], b"user-agent"),
    }


def _field_or_none(fields: Fields | None, name: bytes) -> str | None:
    for key, value in fields or ():
        if key.lower() == name:
            return value.decode("latin-1")
    return None
