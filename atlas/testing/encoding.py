"""Encoding of request bodies: ``json=``, ``data=``, ``files=`` and ``content=``."""

from __future__ import annotations

import mimetypes
import secrets
from collections.abc import AsyncIterable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any, TypeAlias
from urllib.parse import urlencode

import msgspec

from atlas.testing.urls import pairs, to_text

__all__ = ["Body", "Content", "Data", "FileContent", "Files", "encode"]

Content: TypeAlias = str | bytes | Iterable[bytes] | AsyncIterable[bytes]
Data: TypeAlias = Mapping[str, Any] | Iterable[tuple[str, Any]]
FileContent: TypeAlias = str | bytes | IO[bytes] | IO[str]
File: TypeAlias = (
    FileContent
    | tuple[str | None, FileContent]
    | tuple[str | None, FileContent, str | None]
    | tuple[str | None, FileContent, str | None, Mapping[str, str]]
)
Files: TypeAlias = Mapping[str, File] | Iterable[tuple[str, File]]
Body: TypeAlias = bytes | Iterable[bytes] | AsyncIterable[bytes]

_no_value: Any = object()
_LINE = b"\r\n"


def encode(
    content: Content | None = None, data: Data | None = None, files: Files | None = None, json: Any = None
) -> tuple[dict[str, str], Body]:
    """Return the header fields and the body of a request.

    :param content: the body; an iterable is sent in chunks, without a length.
    :param data: the fields of a form.
    :param files: the files of a multipart form.
    :param json: a value to encode as JSON.
    :raises TypeError: if more than one kind of body is given, or one of the wrong type.
    """
    if sum((content is not None, data is not None or files is not None, json is not None)) > 1:
        raise TypeError("expected one of content, data (with or without files) and json")
    if content is not None:
        return _encode_content(content)
    if json is not None:
        return _sized("application/json", msgspec.json.encode(json))
    if files:
        boundary = secrets.token_hex(16)
        return _sized(f"multipart/form-data; boundary={boundary}", _multipart(data or {}, files, boundary.encode()))
    if data is not None:
        fields = [(name, to_text(value)) for name, value in pairs(data)]
        return _sized("application/x-www-form-urlencoded", urlencode(fields).encode("ascii"))
    return {}, b""


def _encode_content(content: Content) -> tuple[dict[str, str], Body]:
    if isinstance(content, str):
        content = content.encode()
    if isinstance(content, bytes | bytearray | memoryview):
        return {"content-length": str(len(content))}, bytes(content)
    if isinstance(content, AsyncIterable):
        return {"transfer-encoding": "chunked"}, content
    if isinstance(content, Iterable):
        return {"transfer-encoding": "chunked"}, content
    raise TypeError(f"content: expected bytes, str or an iterable of bytes, got {type(content).__name__}")


def _sized(kind: str, body: bytes) -> tuple[dict[str, str], bytes]:
    return {"content-type": kind, "content-length": str(len(body))}, body


def _multipart(data: Data, files: Files, boundary: bytes) -> bytes:
    """Return a multipart form: a part for each field and for each file (RFC 7578, section 4)."""
    lines: list[bytes] = []
    for name, value in pairs(data):
        lines += [b"--" + boundary, _disposition(name), b"", _to_bytes(value)]
    for name, file in files.items() if isinstance(files, Mapping) else files:
        filename, content, kind, headers = _file(file)
        lines += [b"--" + boundary, _disposition(name, filename)]
        lines += [f"{key}: {value}".encode() for key, value in headers.items()]
        if kind is not None and not any(key.lower() == "content-type" for key in headers):
            lines.append(b"Content-Type: " + kind.encode())
        lines += [b"", content]
    return _LINE.join([*lines, b"--" + boundary + b"--", b""])


def _disposition(name: str, filename: str | None = None) -> bytes:
    line = f'Content-Disposition: form-data; name="{_quoted(name)}"'
    return (line + (f'; filename="{_quoted(filename)}"' if filename is not None else "")).encode()


def _quoted(text: str) -> str:
    """Escape three characters, as browsers do (WHATWG HTML, "multipart/form-data encoding algorithm")."""
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


def _to_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else to_text(value).encode()


def _file(file: File) -> tuple[str | None, bytes, str | None, Mapping[str, str]]:
    """Return the name, content, type and further header fields of a file."""
    given: tuple[Any, ...] = file if isinstance(file, tuple) else (_no_value, file)
    if not 2 <= len(given) <= 4:
        raise TypeError(f"files: expected (filename, content[, type[, headers]]), got {len(given)} values")
    complete: tuple[Any, ...] = given + (_no_value, {})[len(given) - 2 :]
    filename, source, kind, headers = complete
    if filename is _no_value:
        filename = Path(str(getattr(source, "name", "upload"))).name
    if kind is _no_value:
        kind = (mimetypes.guess_type(filename)[0] or "application/octet-stream") if filename is not None else None
    content = source.read() if hasattr(source, "read") else source
    if not isinstance(content, str | bytes):
        raise TypeError(f"files: expected bytes, str or an open file, got {type(content).__name__}")
    return filename, content.encode() if isinstance(content, str) else content, kind, headers
