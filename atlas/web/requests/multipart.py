"""The parser of ``multipart/form-data`` (RFC 7578, RFC 2046 5.1): bytes in, parts out. It stores nothing.

Names and file names are given out as Latin-1, which keeps their bytes: the character encoding of a form may be known
only at its end (``_charset_``, RFC 7578 4.6).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from urllib.parse import unquote_to_bytes

from atlas.web.exceptions import BadRequest, ContentTooLarge
from atlas.web.requests.charsets import find_charset, parse_parameters

__all__ = ["MultipartParser", "Part", "boundary_of"]

MAX_BOUNDARY = 70  # characters, RFC 2046 5.1.1
MAX_PADDING = 1000  # bytes of white space behind a delimiter

# Behind a delimiter: the end of the form, or white space and the end of the line (RFC 2046 5.1.1, "transport-padding").
_TAIL = re.compile(rb"--|[ \t]*\r\n")
_UNFINISHED_TAIL = re.compile(rb"-?|[ \t]*\r?")
_COMMON_NAMES = frozenset(["Content-Disposition", "Content-Type"])
_FIELD_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_ESCAPED = re.compile(r'\\(["\\])')


class _State(Enum):
    PREAMBLE = "before the first delimiter"
    HEAD = "in the header fields of a part"
    BLANK = "at the empty line behind them"
    DATA = "in the data of a part"
    EPILOGUE = "behind the last delimiter"


_PREAMBLE, _HEAD, _BLANK, _DATA, _EPILOGUE = _State


class Part:
    """The head of a part.

    :ivar name: the name of the field, as Latin-1.
    :ivar filename: the file name, as Latin-1; None if the part is no file.
    :ivar extended_filename: the file name of ``filename*`` (RFC 8187); None if there is none, or a malformed one.
    :ivar content_type: the media type in lower case; "" if the part has none.
    :ivar charset: the ``charset`` parameter of the content type; None if there is none.
    :ivar headers: the header fields, as pairs of name and value.
    :ivar length: the ``content-length`` field; None if there is none.
    """

    __slots__ = ("charset", "content_type", "extended_filename", "filename", "headers", "length", "name")

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self.headers = [(name, value if value.isascii() else _utf8(value)) for name, value in fields]
        self.content_type = ""
        self.charset: str | None = None
        self.length: int | None = None
        self.filename: str | None = None
        self.extended_filename: str | None = None
        disposition = None
        for name, value in fields:
            if name == "Content-Disposition":
                disposition = value
            elif name == "Content-Type":
                self.content_type, parameters = parse_parameters(value)
                charset = parameters.get("charset")
                self.charset = charset.strip('"') if charset else None
            elif name == "Content-Length":
                self.length = _length(value)
        if disposition is None:
            raise BadRequest("a part of the form has no content-disposition")
        # What browsers send, without a regular expression: form-data; name="a"; filename="b"
        pieces = disposition.split('"')
        if pieces[0] == "form-data; name=" and pieces[-1] == "" and "\\" not in disposition:
            if len(pieces) == 3:
                self.name = _unescaped(pieces[1])
                return
            if len(pieces) == 5 and pieces[2] == "; filename=":
                self.name, self.filename = _unescaped(pieces[1]), _unescaped(pieces[3])
                return
        self._parse_disposition(disposition)

    def _parse_disposition(self, disposition: str) -> None:
        kind, parameters = parse_parameters(disposition)
        if kind != "form-data":
            raise BadRequest("the content-disposition of a part is not form-data")
        if "name" not in parameters:
            raise BadRequest("a part of the form has no name")
        self.name = _unquoted(parameters["name"])
        self.filename = _unquoted(parameters["filename"]) if "filename" in parameters else None
        if "filename*" in parameters:
            extended = _unquoted(parameters["filename*"])
            self.extended_filename = _decode_extended(extended)
            if self.filename is None:
                self.filename = extended


class MultipartParser:
    """An incremental parser.

    :param boundary: the boundary, see :func:`boundary_of`.
    :param max_fields: maximum number of header fields of a part.
    :param max_field_size: maximum size of one of them in bytes.

    :ivar most_fields: the largest number of header fields of a part so far.
    :ivar largest_field: the size of the largest one.
    """

    __slots__ = (
        "_announced",
        "_delimiter",
        "_lines",
        "_max_field_size",
        "_max_fields",
        "_rest",
        "_size",
        "_state",
        "largest_field",
        "most_fields",
    )

    def __init__(self, boundary: str, *, max_fields: int, max_field_size: int) -> None:
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        self._max_fields, self._max_field_size = max_fields, max_field_size
        self._rest = b"\r\n"  # the line end before the first delimiter, which it may lack
        self._state = _PREAMBLE
        self._lines: list[bytes] = []
        self._size = 0  # bytes of the data of this part so far, or of the preamble
        self._announced: int | None = None  # what its content-length says
        self.most_fields = self.largest_field = 0

    @property
    def is_complete(self) -> bool:
        """Whether the last delimiter was parsed. What comes behind it is ignored (RFC 2046 5.1.1)."""
        return self._state is _EPILOGUE

    def feed(self, chunk: bytes) -> Iterator[Part | bytes | None]:
        """Parse the next bytes.

        :param chunk: the bytes.
        :returns: an iterator over a :class:`Part` for its head, ``bytes`` for a piece of its data, None for its end. It
            has to be exhausted before the next call.
        :raises BadRequest: if the form is malformed.
        :raises ContentTooLarge: for too many or too large header fields of a part.
        """
        data = self._rest + chunk
        start = 0
        while self._state is not _EPILOGUE:
            position: int | None = None  # where parsing continues; None if it needs more bytes
            if self._state is _HEAD:
                position = self._parse_head(data, start)
            elif self._state is _BLANK:
                position = self._parse_blank(data, start)
                if position is not None:
                    yield self._part()
            else:
                inside = self._state is _DATA
                index = data.find(self._delimiter, start)
                end = index if index >= 0 else self._end_of_data(data, start)
                self._size += end - start
                if inside and end > start:
                    yield data[start:end]
                start = end
                position = self._parse_tail(data, index) if index >= 0 else None
                if inside and position is not None:
                    self._check_size()
                    yield None
            if position is None:
                break
            start = position
        self._rest = data[start:] if self._state is not _EPILOGUE else b""

    def _part(self) -> Part:
        part = Part(_fields_of(self._lines))
        self._size, self._announced = 0, part.length
        return part

    def _check_size(self) -> None:
        if self._announced is not None and self._announced != self._size:
            raise BadRequest("the content-length of a part of the form is not its size")

    def _parse_head(self, data: bytes, start: int) -> int | None:
        """Find the end of the head of a part, and return the position of the empty line behind it; None if it is
        incomplete."""
        is_empty = data.startswith(b"\r\n", start)
        end = start if is_empty else data.find(b"\r\n\r\n", start)
        if end < 0:
            whole = data[start:].split(b"\r\n")
            folded = sum(line.startswith((b" ", b"\t")) for line in whole)
            self._check_head(len(max(whole, key=len)) - 1, len(whole) - 1 - folded)  # the last byte may be a "\r"
            return None
        self._lines = lines = data[start:end].split(b"\r\n") if not is_empty else []
        for index in range(len(lines) - 1, 0, -1):
            if lines[index][0] in b" \t":  # continues the line before (RFC 5322 2.2.3)
                lines[index - 1] += b" " + lines.pop(index).strip()
        largest = len(max(lines, key=len, default=b""))
        self._check_head(largest, len(lines))
        self.largest_field, self.most_fields = max(self.largest_field, largest), max(self.most_fields, len(lines))
        self._state = _BLANK
        return end if is_empty else end + 2

    def _check_head(self, largest: int, fields: int) -> None:
        if largest > self._max_field_size:
            raise ContentTooLarge(
                f"a header field of a part of a form has at most {self._max_field_size} bytes",
                setting="FormLimits(part_header_size=)",
            )
        if fields > self._max_fields:
            raise ContentTooLarge(
                f"a part of a form has at most {self._max_fields} header fields", setting="FormLimits(part_headers=)"
            )

    def _parse_blank(self, data: bytes, start: int) -> int | None:
        """Parse the empty line behind the head. It belongs to the delimiter if the part has no data at all, not even of
        zero bytes (RFC 2046 5.1.1, "body-part")."""
        following = data[start : start + len(self._delimiter)]
        if following == self._delimiter:
            self._state = _DATA
            return start
        if self._delimiter.startswith(following):
            return None  # too short to decide
        self._state = _DATA
        return start + 2

    def _parse_tail(self, data: bytes, index: int) -> int | None:
        """Parse what follows a delimiter, and return the position behind it; None if it is incomplete."""
        after = index + len(self._delimiter)
        tail = _TAIL.match(data, after)
        if tail is None:
            if len(data) - after > MAX_PADDING or not _UNFINISHED_TAIL.fullmatch(data, after):
                raise BadRequest("the form is malformed: a boundary is followed by other bytes")
            return None
        if tail[0] == b"--":
            if self._state is _PREAMBLE and self._size > 2:  # more than a line end: a first delimiter is misplaced
                raise BadRequest("the form is malformed: there are bytes before its boundary, and no part")
            self._state = _EPILOGUE
        else:
            self._state = _HEAD
        return tail.end()

    def _end_of_data(self, data: bytes, start: int) -> int:
        """Return the position up to which the bytes cannot belong to a delimiter that is not complete."""
        last = data.rfind(b"\r", max(start, len(data) - len(self._delimiter) + 1))
        return last if last >= 0 and self._delimiter.startswith(data[last:]) else len(data)


def boundary_of(parameters: dict[str, str]) -> str:
    """Return the boundary of a form.

    :param parameters: the parameters of its content type.
    :raises BadRequest: for a missing or a malformed boundary.
    """
    boundary = _unquoted(parameters.get("boundary", ""))
    if not 0 < len(boundary) <= MAX_BOUNDARY or not (boundary.isascii() and boundary.isprintable()):
        raise BadRequest(f"the form's content type has no boundary of 1 to {MAX_BOUNDARY} characters")
    return boundary


def _fields_of(lines: list[bytes]) -> list[tuple[str, str]]:
    fields = []
    for line in lines:
        if _CONTROLS.search(line):
            raise BadRequest("a header field of a part of the form has a control character")
        name, colon, value = line.decode("latin-1").partition(":")
        if name not in _COMMON_NAMES:
            name = name.rstrip().title()
            if not _FIELD_NAME.fullmatch(name):
                raise BadRequest("a part of the form has a malformed header field")
        if not colon:
            raise BadRequest("a part of the form has a malformed header field")
        fields.append((name, value.strip(" \t")))
    return fields


def _length(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 20):
        raise BadRequest("the content-length of a part of the form is malformed")
    return int(value)


def _unquoted(value: str) -> str:
    """Return a parameter without its quotes. Browsers escape ``"`` and line ends by ``%``, and no backslash (HTML
    standard, "multipart/form-data encoding algorithm"); older clients escape a quote by a backslash."""
    if value.startswith('"'):
        value = value[1:-1] if len(value) > 1 and value.endswith('"') else value[1:]
        if '\\"' in value:
            return _ESCAPED.sub(r"\1", value)
    return _unescaped(value)


def _unescaped(value: str) -> str:
    return value.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n") if "%" in value else value


def _decode_extended(value: str) -> str | None:
    """Decode a value with a character encoding (RFC 8187 3.2): ``utf-8''na%C3%AFve.txt``."""
    label, _, rest = value.partition("'")
    charset = find_charset(label)
    if charset is None:
        return None
    try:
        return unquote_to_bytes(rest.partition("'")[2]).decode(charset)
    except UnicodeError:
        return None


def _utf8(value: str) -> str:
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return value
