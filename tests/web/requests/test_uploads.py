import asyncio
import gc
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas import BadRequest, ContentTooLarge
from atlas.web.requests.forms import FormLimits
from atlas.web.requests.uploads import AsyncUpload, Form, MultipartReader, Upload, parse_multipart, plain_name

KIND = "multipart/form-data; boundary=XX"


def part(name: str, content: bytes, filename: str | None = None, more: str = "") -> bytes:
    called = "" if filename is None else f'; filename="{filename}"'
    return f'--XX\r\nContent-Disposition: form-data; name="{name}"{called}\r\n{more}\r\n'.encode() + content + b"\r\n"


END = b"--XX--\r\n"
WHOLE = (
    part("a", "ü".encode()) + part("f", b"1\r\n--X2", "x.txt", "Content-Type: text/plain\r\n") + part("a", b"") + END
)


def fed(body: bytes, step: int, limits: FormLimits | None = None) -> Form:
    reader = MultipartReader(KIND, limits or FormLimits())
    for start in range(0, len(body), step):
        reader.feed(body[start : start + step])
    return reader.finish()


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
@pytest.mark.parametrize("memory", [0, 1000])
def test_a_form_in_chunks(step: int, memory: int) -> None:
    form = fed(WHOLE, step, FormLimits(memory=memory))
    assert form.fields.pairs() == [("a", "ü"), ("a", "")]
    upload = form.files(Upload)["f"]
    assert upload.read() == b"1\r\n--X2"
    assert (upload.filename, upload.content_type, upload.size) == ("x.txt", "text/plain", 7)
    assert upload.headers[0][0] == "Content-Disposition"
    assert repr(upload) == "<Upload 'x.txt' text/plain 7 bytes>"
    upload.close()


def test_an_empty_form() -> None:
    assert fed(END, 100).fields.pairs() == []


def test_an_empty_file_field_has_no_file() -> None:
    form = fed(part("f", b"", "") + END, 100)
    assert (form.fields.pairs(), form.files(Upload).pairs()) == ([], [])


MALFORMED = [
    b"",
    b"--XX",
    b"--XX\r\n",
    b"nonsense",
    b"nonsense\r\n" * 1000,
    part("a", b"1"),
    part("a", b"1") + b"--XX",
    part("a", b"1") + b"--XXyy" + END,
    b"--XX\r\n\r\nx\r\n" + END,
    b"--XX\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n" + END,
    b"--XX\r\nContent-Disposition: form-data\r\n\r\nx\r\n" + END,
    b"--XX\r\nContent-Disposition\r\n\r\nx\r\n" + END,
    b"--XX\r\n\x00: a\r\n\r\nx\r\n" + END,
    b"--XX\nContent-Disposition: form-data; name=a\n\nx\n--XX--",
    b'--XX\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nx\r\n' + END,
    part("a", b"\xff") + END,
    part("a", b"\xed\xa0\x80") + END,
    part("a", b"x", more="Content-Length: 5\r\n") + END,
    part("a", b"x", more="Content-Length: -5\r\n") + END,
]


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
@pytest.mark.parametrize("step", [1, 100_000])
def test_malformed_forms_are_bad_requests(body: bytes, step: int) -> None:
    with pytest.raises(BadRequest):
        fed(body, step)


@pytest.mark.parametrize(
    "kind",
    ["", "; boundary=", '; boundary=""', "; boundary=" + "x" * 71, '; boundary="a\nb"', "; boundary=ü", "; border=x"],
)
def test_malformed_boundaries(kind: str) -> None:
    with pytest.raises(BadRequest, match="no boundary"):
        MultipartReader("multipart/form-data" + kind)


@pytest.mark.parametrize(
    ("limits", "body"),
    [
        (FormLimits(fields=2), part("a", b"") * 3),
        (FormLimits(fields=2, files=0), part("a", b"") * 3),
        (FormLimits(files=2), part("f", b"", "x") * 3),
        (FormLimits(text=10), part("a", b"x" * 10)),
        (FormLimits(text=10), part("a", b"x" * 4) * 3),
        (FormLimits(file_size=4, text=2), part("f", b"x" * 5, "x")),
        (FormLimits(part_headers=2), part("a", b"", more="X-A: b\r\nX-C: d\r\n")),
        (FormLimits(part_header_size=100), part("a" * 100, b"")),
        (FormLimits(part_header_size=100), b"--XX\r\n" + b"x" * 1000),
    ],
)
@pytest.mark.parametrize("step", [1, 100_000])
def test_everything_is_limited(limits: FormLimits, body: bytes, step: int) -> None:
    with pytest.raises(ContentTooLarge):
        fed(body + END, step, limits)


def test_large_files_are_on_disk_until_the_request_ends() -> None:
    reader = MultipartReader(KIND, FormLimits(memory=100))
    reader.feed(part("small", b"x" * 60, "x"))
    assert not reader.touches_disk(40)
    assert reader.touches_disk(41)
    reader.feed(part("large", b"y" * 60, "y"))
    assert reader.touches_disk(1)
    reader.feed(END)
    form = reader.finish()
    stored = dict(form.stored)
    assert [each.on_disk for each in stored.values()] == [False, True]
    assert form.files(Upload)["large"].read() == b"y" * 60
    descriptor = stored["large"].file.fileno()
    assert os.fstat(descriptor).st_nlink == 0
    del reader, form, stored
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_files_of_a_refused_form_are_closed() -> None:
    reader = MultipartReader(KIND, FormLimits(memory=0))
    reader.feed(part("f", b"abc", "x"))
    stored = reader._stored[0][1]
    with pytest.raises(BadRequest):
        reader.feed(b"--nonsense\r\n" * 10)
        reader.finish()
    assert stored.file.closed


def test_a_form_from_memory_stays_in_memory() -> None:
    form = parse_multipart(part("f", b"x" * 500, "x") + END, KIND, FormLimits(memory=1))
    assert not form.stored[0][1].on_disk


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ("x.txt", "x.txt"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\a\\b.txt", "b.txt"),
        ("/etc/passwd", "passwd"),
        ("a\x00b\n.txt", "ab.txt"),
        ("..", ""),
        (".htaccess", "htaccess"),
        ("a/", ""),
        ("ü ✓.png", "ü ✓.png"),
        ("x" * 1000, "x" * 255),
        ("\ud800x", "x"),
    ],
)
def test_a_name_without_its_folders(said: str, plain: str) -> None:
    assert plain_name(said) == plain


def upload_of(kind: Any, content: bytes, memory: int = 100) -> Any:
    return fed(part("f", content, "../x") + END, 100, FormLimits(memory=memory)).files(kind)["f"]


def test_an_upload_is_read_and_saved(tmp_path: Path) -> None:
    upload = upload_of(Upload, b"abc" * 50_000, memory=0)
    assert (upload.filename, upload.raw_filename) == ("x", "../x")
    assert upload.read(4) == b"abca"
    upload.save(tmp_path / "mine")
    assert (tmp_path / "mine").read_bytes() == b"abc" * 50_000
    upload.seek(0)
    assert b"".join(upload) == b"abc" * 50_000
    with pytest.raises(IsADirectoryError):
        upload.save(tmp_path)


@pytest.mark.parametrize("memory", [0, 10**6])
def test_an_upload_is_read_and_saved_with_await(tmp_path: Path, memory: int) -> None:
    upload = upload_of(AsyncUpload, b"abc" * 50_000, memory)

    async def go() -> None:
        assert await upload.read(4) == b"abca"
        await upload.save(tmp_path / "mine")
        await upload.seek(0)
        assert b"".join([piece async for piece in upload]) == b"abc" * 50_000

    asyncio.run(go())
    assert (tmp_path / "mine").read_bytes() == b"abc" * 50_000


@settings(derandomize=True, deadline=None)
@given(st.data())
def test_arbitrary_bytes_are_a_form_or_a_4xx(data: st.DataObject) -> None:
    body = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(0, 4))):
        start = data.draw(st.integers(0, len(body)))
        end = data.draw(st.integers(start, min(start + 20, len(body))))
        body[start:end] = data.draw(
            st.binary(max_size=8) | st.sampled_from([b"\r\n", b"--XX", b'"', b"\\", b"; ", b"*="])
        )
    step = data.draw(st.integers(1, len(body) + 1))
    try:
        form = fed(bytes(body), step, FormLimits(memory=data.draw(st.sampled_from([0, 1000]))))
    except (BadRequest, ContentTooLarge):
        return
    for upload in form.files(Upload).values():
        assert "/" not in upload.filename
        assert len(upload.read()) == upload.size
        upload.close()
