from typing import Any

import pytest

from atlas import BadRequest, ContentTooLarge
from atlas.web.requests.charsets import parse_parameters
from atlas.web.requests.multipart import MultipartParser, Part, boundary_of

HEAD = b'Content-Disposition: form-data; name="a"\r\n\r\n'


def events(body: bytes, step: int = 10**6, boundary: str = "B", **limits: int) -> list[Any]:
    """The events of a form: names of parts, their data joined, None."""
    parser = MultipartParser(boundary, max_fields=limits.get("fields", 8), max_field_size=limits.get("size", 1000))
    found: list[Any] = []
    for start in range(0, len(body), step):
        for event in parser.feed(body[start : start + step]):
            if isinstance(event, Part):
                found.append(event.name)
            elif isinstance(event, bytes) and found and isinstance(found[-1], bytes):
                found[-1] += event
            else:
                found.append(event)
    found.append("complete" if parser.is_complete else "incomplete")
    return found


NEARLY = b"\r\n\r\n\r\r\n--\r\n--A\r--B\n--B"
WHOLE = ["a", b"1", None, "complete"]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"--B\r\n" + HEAD + b"1\r\n--B--\r\n", WHOLE),
        (b"--B\r\n" + HEAD + b"1\r\n--B--", WHOLE),
        (b"\r\n--B\r\n" + HEAD + b"1\r\n--B--\r\n\r\n", WHOLE),
        (b"a preamble\r\n--B\r\n" + HEAD + b"1\r\n--B--\r\nan epilogue\r\n--B\r\n", WHOLE),
        (b'--B\r\nContent-Disposition: form-data; name=""\r\n\r\n1\r\n--B--', ["", b"1", None, "complete"]),
        (b"\r\n--B--", ["complete"]),
        (b"a--B\r\n--B\r\n" + HEAD + b"1\r\n--B--", WHOLE),
        # White space behind a delimiter (RFC 2046 5.1.1, "transport-padding").
        (b"--B \t \r\n" + HEAD + b"1\r\n--B  \r\n" + HEAD + b"2\r\n--B-- \r\n", [*WHOLE[:3], "a", b"2", *WHOLE[2:]]),
        # No data: an empty one, and a part of header fields only.
        (b"--B\r\n" + HEAD + b"\r\n--B--", ["a", None, "complete"]),
        (b"--B\r\n" + HEAD + b"--B--", ["a", None, "complete"]),
        (b"--B\r\n" + HEAD[:-2] + b"\r\n--B--", ["a", None, "complete"]),
        # What looks like a delimiter.
        (
            b"--B\r\n" + HEAD + b"\r\n\r\n\r\r\n--\r\n--A\r--B\n--B\r\n--B--",
            ["a", b"\r\n\r\n\r\r\n--\r\n--A\r--B\n--B", *WHOLE[2:]],
        ),
        (b"--B--", ["complete"]),
        (b"--B--\r\n", ["complete"]),
        (b"", ["incomplete"]),
        (b"\r\n", ["incomplete"]),
        (b"--B", ["incomplete"]),
        (b"--B-", ["incomplete"]),
        (b"--B \r", ["incomplete"]),
        (b"--B\r\n" + HEAD[:-2], ["incomplete"]),
        (b"--B\r\n" + HEAD + b"1\r\n--B", ["a", b"1", "incomplete"]),
        (b"--B\r\n" + HEAD + b"1\r\n-", ["a", b"1", "incomplete"]),
        # Another kind of part inside (RFC 7578 4.3 has no such parts any more): data.
        (b"--B\r\n" + HEAD + b"--C\r\nx: y\r\n\r\n--C--\r\n--B--", ["a", b"--C\r\nx: y\r\n\r\n--C--", *WHOLE[2:]]),
    ],
)
def test_events_do_not_depend_on_where_the_bytes_are_cut(body: bytes, found: list[Any]) -> None:
    assert events(body) == found
    for step in range(1, len(body)):
        assert events(body, step) == found
    for cut in range(len(body)):
        parser = MultipartParser("B", max_fields=8, max_field_size=1000)
        kept = [event for piece in (body[:cut], body[cut:]) for event in parser.feed(piece)]
        assert b"".join(event for event in kept if isinstance(event, bytes)) == b"".join(
            event for event in found if isinstance(event, bytes)
        )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"--Bx", "a boundary is followed by other bytes"),
        (b"--B\n", "a boundary is followed by other bytes"),
        (b"--B -", "a boundary is followed by other bytes"),
        (b"--B" + b" " * 2000, "a boundary is followed by other bytes"),
        (b"--B\r\n" + HEAD + b"1\r\n--BB\r\n", "a boundary is followed by other bytes"),
        (b"a--B\r\n" + HEAD + b"1\r\n--B--", "bytes before its boundary, and no part"),
        (b"--A\r\n" + HEAD + b"1\r\n--A\r\n--B--", "bytes before its boundary, and no part"),
        (b"--B\r\nContent-Disposition: form-data\r\n\r\n1\r\n--B--", "has no name"),
        (b"--B\r\n\r\n1\r\n--B--", "has no content-disposition"),
        (b"--B\r\nContent-Type: a/b\r\n\r\n1\r\n--B--", "has no content-disposition"),
        (b"--B\r\nContent-Disposition: attachment; name=a\r\n\r\n1\r\n--B--", "is not form-data"),
        (b"--B\r\nContent-Disposition form-data\r\n\r\nx", "malformed header field"),
        (b"--B\r\na b: c\r\n\r\nx", "malformed header field"),
        (b"--B\r\n: c\r\n\r\nx", "malformed header field"),
        (b"--B\r\na: b\x00\r\n\r\nx", "control character"),
        (b"--B\r\na: b\nc: d\r\n\r\nx", "control character"),
        (b"--B\r\na: b\rc: d\r\n\r\nx", "control character"),
        (b"--B\r\ncontent-length: +1\r\n\r\nx", "content-length of a part of the form is malformed"),
        (b"--B\r\ncontent-length: 2\r\n" + HEAD + b"1\r\n--B--", "is not its size"),
    ],
)
def test_malformed_forms(body: bytes, message: str) -> None:
    for step in (1, 7, 10**6):
        with pytest.raises(BadRequest, match=message):
            events(body, step)


@pytest.mark.parametrize(
    ("body", "limits"),
    [
        (b"--B\r\nx: " + b"y" * 1000 + b"\r\n\r\n", {}),
        (b"--B\r\nx: " + b"y" * 10_000, {}),
        (b"--B\r\nx: y\r\n" + b" z" * 400 + b"\r\n" + b" z" * 400 + b"\r\n\r\n", {}),
        (b"--B\r\n" + b"x: y\r\n" * 3 + b"\r\n", {"fields": 2}),
        (b"--B\r\n" + b"x: y\r\n" * 3000, {}),
    ],
)
def test_limits_of_a_head(body: bytes, limits: dict[str, int]) -> None:
    for step in (1, 7, 10**6):
        with pytest.raises(ContentTooLarge):
            events(body, step, **limits)


def test_what_was_seen_of_the_heads() -> None:
    parser = MultipartParser("B", max_fields=2, max_field_size=100)
    list(parser.feed(b"--B\r\nx: y\r\n" + HEAD + b"1\r\n--B\r\n" + HEAD + b"\r\n--B--"))
    assert (parser.most_fields, parser.largest_field) == (2, len(HEAD) - 4)


def test_a_head() -> None:
    parser = MultipartParser("B", max_fields=8, max_field_size=1000)
    head = (
        b'--B\r\ncontent-DISPOSITION:form-data;\r\n name="a%22b" ; filename="x"\r\n'
        b"Content-type : Text/Plain; Charset=UTF-8\r\ncontent-length: 3\r\nx-note:  \xc3\xbc\t\r\n"
        b"x-other: \xff\r\n\r\nz"
    )
    part, _ = parser.feed(head)
    assert isinstance(part, Part)
    assert (part.name, part.filename, part.extended_filename) == ('a"b', "x", None)
    assert (part.content_type, part.charset, part.length) == ("text/plain", "UTF-8", 3)
    assert part.headers[0] == ("Content-Disposition", 'form-data; name="a%22b" ; filename="x"')
    assert part.headers[3:] == [("X-Note", "ü"), ("X-Other", "ÿ")]


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        ("multipart/form-data; boundary=B", "B"),
        ('multipart/form-data; boundary="a b"', "a b"),
        ("multipart/form-data; charset=utf-8; Boundary=B ; x=y", "B"),
        ("multipart/form-data;boundary=----=_Part_1:2/3.4'()+_,-./=?", "----=_Part_1:2/3.4'()+_,-./=?"),
        ("multipart/form-data; boundary=-----a_9009049739267083$", "-----a_9009049739267083$"),
        ("multipart/form-data; boundary=" + "x" * 70, "x" * 70),
    ],
)
def test_boundaries(kind: str, boundary: str) -> None:
    assert boundary_of(parse_parameters(kind)[1]) == boundary
    delimiter = f"--{boundary}".encode()
    assert events(delimiter + b"\r\n" + HEAD + b"1\r\n" + delimiter + b"--", 1, boundary) == WHOLE
