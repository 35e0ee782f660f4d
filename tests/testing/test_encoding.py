import io
from email.parser import BytesParser
from typing import Any

import pytest

from atlas.testing.encoding import encode


def parts(files: Any, data: Any = None) -> list[tuple[str | None, str | None, str | None, bytes]]:
    """Name, file name, type and content of each part, as the standard library's mail parser reads them."""
    about, body = encode(data=data, files=files)
    assert isinstance(body, bytes)
    assert about["content-length"] == str(len(body))
    message = BytesParser().parsebytes(f"content-type: {about['content-type']}\r\n\r\n".encode() + body)
    found = []
    for part in message.get_payload():
        name = part.get_param("name", header="content-disposition")  # type: ignore[union-attr]
        kind = part["content-type"]  # type: ignore[index]
        found.append((name, part.get_filename(), kind, part.get_payload(decode=True)))  # type: ignore[union-attr]
    return found  # type: ignore[return-value]


def test_nothing_is_nothing() -> None:
    assert encode() == ({}, b"")


def test_json() -> None:
    about, body = encode(json={"a": [1, "ü"]})
    assert (about["content-type"], body) == ("application/json", '{"a":[1,"ü"]}'.encode())


def test_fields() -> None:
    about, body = encode(data={"a": "ü &", "b": [1, True], "c": None})
    assert about["content-type"] == "application/x-www-form-urlencoded"
    assert body == b"a=%C3%BC+%26&b=1&b=true&c="


def test_an_empty_form_is_a_form() -> None:
    assert encode(data={})[0]["content-length"] == "0"


@pytest.mark.parametrize(("content", "body"), [("ü", "ü".encode()), (b"x", b"x"), (bytearray(b"x"), b"x")])
def test_content_is_sent_as_it_is(content: Any, body: bytes) -> None:
    about, sent = encode(content=content)
    assert (about["content-length"], sent) == (str(len(body)), body)


def test_pieces_have_no_length() -> None:
    pieces = iter([b"a"])
    assert encode(content=pieces) == ({"transfer-encoding": "chunked"}, pieces)


@pytest.mark.parametrize(
    ("file", "part"),
    [
        (b"x", ("f", "upload", "application/octet-stream", b"x")),
        (("a.txt", "ü"), ("f", "a.txt", "text/plain", "ü".encode())),
        (("a.txt", b"x", "image/png"), ("f", "a.txt", "image/png", b"x")),
        (("a.txt", b"x", None), ("f", "a.txt", None, b"x")),
        (("a", b"x", "b/c", {"Content-Type": "d/e"}), ("f", "a", "d/e", b"x")),
        ((None, "plain"), ("f", None, None, b"plain")),
        (("a.png", io.BytesIO(b"x")), ("f", "a.png", "image/png", b"x")),
    ],
)
def test_files(file: Any, part: tuple[Any, ...]) -> None:
    assert parts({"f": file}) == [part]


def test_fields_and_several_files_of_one_name() -> None:
    assert parts([("f", ("a", b"1")), ("f", ("b", b"2"))], {"x": ["1", "2"]}) == [
        ("x", None, None, b"1"),
        ("x", None, None, b"2"),
        ("f", "a", "application/octet-stream", b"1"),
        ("f", "b", "application/octet-stream", b"2"),
    ]


def test_a_name_cannot_end_its_line() -> None:
    body = encode(files={"f": ('a"\r\nx: y', b"")})[1]
    assert isinstance(body, bytes)
    assert b'filename="a%22%0D%0Ax: y"' in body


def test_an_open_file_has_a_name(tmp_path: Any) -> None:
    (tmp_path / "lake.svg").write_bytes(b"<svg/>")
    with open(tmp_path / "lake.svg", "rb") as file:
        assert parts({"f": file}) == [("f", "lake.svg", "image/svg+xml", b"<svg/>")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"content": b"", "json": 1}, "expected one of"),
        ({"content": 5}, "content: expected bytes"),
        ({"files": {"f": 5}}, "files: expected bytes, str or an open file, got int"),
        ({"files": {"f": ("a",)}}, "files: expected .filename, content"),
    ],
)
def test_what_cannot_be_sent(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        encode(**arguments)
