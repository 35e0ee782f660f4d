import asyncio
import gc
import os
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas import BadRequest, ContentTooLarge
from atlas.web.requests.form_reader import Form, MultipartReader, parse_multipart, parse_pairs, receive_multipart
from atlas.web.requests.forms import FormLimits
from atlas.web.requests.uploads import Upload

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


def test_a_file_without_a_name_is_kept() -> None:
    (upload,) = fed(part("f", b"text", "") + END, 100).files(Upload).values()
    assert (upload.filename, upload.read()) == ("", b"text")


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
    descriptor = reader._space._file.fileno()  # type: ignore[union-attr]
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


# ------------------------------------------------------------------------------------------------ names and encodings

CALLED = 'Content-Disposition: form-data; name="f"; '


def names_of(disposition: bytes, kind: str = KIND, charset: str | None = None) -> list[str]:
    reader = MultipartReader(kind, charset=charset)
    reader.feed(b"--XX\r\nContent-Disposition: form-data; name=f; " + disposition + b"\r\n\r\nx\r\n" + END)
    return [upload.filename for upload in reader.finish().files(Upload).values()]


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (b"filename*=utf-8''na%C3%AFve.bin", "naïve.bin"),
        (b"filename*=UTF-8'fr'na%C3%AFve.bin", "naïve.bin"),
        (b"filename*=iso-8859-1''na%EFve.bin", "naïve.bin"),
        (b"filename=\"naive.bin\"; filename*=utf-8''na%C3%AFve.bin", "naïve.bin"),
        (b"filename*=utf-8''na%C3%AFve.bin; filename=\"naive.bin\"", "naïve.bin"),
        (b"filename=\"=?utf-8?B?bmHDr3ZlLmJpbg==?=\"; filename*=utf-8''na%C3%AFve.bin", "naïve.bin"),
        (b"filename=\"\"; filename*=utf-8''a.bin", "a.bin"),
        (b"filename*=nonsense''na%C3%AFve.bin; filename=plain.bin", "plain.bin"),
        (b"filename*=utf-8''%ff.bin; filename=plain.bin", "plain.bin"),
        (b"filename*=idna''a.bin", "idna''a.bin"),
        (b"filename*=plain.bin", "plain.bin"),
        ('filename="naïve.bin"'.encode(), "naïve.bin"),
        ('filename="naïve.bin"'.encode("latin-1"), "naïve.bin"),
        (b'filename="a\\"b\\\\c.bin"', 'a"b\\c.bin'.rpartition("\\")[2]),
        (b'filename="a%22b.bin"', 'a"b.bin'),
        (b'filename="100%.bin"', "100%.bin"),
        (b'filename="C:\\dir\\a.bin"', "a.bin"),
        (b"filename=a b.bin ", "a b.bin"),
        (b'filename="a;b.bin"; size=1', "a;b.bin"),
        (b'FileName = "a.bin"', "a.bin"),
        (b'filename="a.bin', "a.bin"),
        (b'filename=a"b.bin', 'a"b.bin'),
    ],
)
def test_file_names(disposition: bytes, name: str) -> None:
    assert names_of(disposition) == [name]


@pytest.mark.parametrize("encoding", ["windows-1251", "Shift_JIS", "gb18030"])
def test_a_file_name_in_an_encoding_that_the_form_names(encoding: str) -> None:
    name = {"windows-1251": "привет.bin", "Shift_JIS": "表.bin", "gb18030": "你好.bin"}[encoding]
    field = b'filename="' + name.encode(encoding) + b'"'
    assert names_of(field, f"{KIND}; charset={encoding}") == [name]
    assert names_of(field, charset=encoding) == [name]
    unnamed = MultipartReader(KIND)
    unnamed.feed(b"--XX\r\nContent-Disposition: form-data; name=f; " + field + b"\r\n\r\nx\r\n" + END)
    (upload,) = unnamed.finish().files(Upload).values()
    assert upload.raw_filename.encode("latin-1").decode(encoding) == name


def texts_of(*parts: bytes, kind: str = KIND, charset: str | None = None) -> list[tuple[str, str]]:
    return parse_multipart(b"".join(parts) + END, kind, charset=charset).fields.pairs()


def test_text_in_the_encoding_of_its_part() -> None:
    for encoding, text in (("ISO-8859-1", "naïve"), ("windows-1251", "привет"), ("Shift_JIS", "表"), ("utf-16", "ü")):
        more = f'Content-Type: text/plain; charset="{encoding}"\r\n'
        assert texts_of(part("a", text.encode(encoding), more=more), part("b", "ü".encode())) == [
            ("a", text),
            ("b", "ü"),
        ]


def test_text_in_the_encoding_of_the_form() -> None:
    latin = part("a", b"na\xefve")
    assert texts_of(latin, kind=KIND + "; charset=iso-8859-1") == [("a", "naïve")]
    assert texts_of(latin, charset="latin_1") == [("a", "naïve")]
    assert texts_of(latin, part("_charset_", b"windows-1252")) == [("a", "naïve"), ("_charset_", "windows-1252")]
    own = part("b", "ü".encode(), more="Content-Type: text/plain; charset=utf-8\r\n")
    assert texts_of(latin, own, kind=KIND + "; charset=iso-8859-1") == [("a", "naïve"), ("b", "ü")]
    name = "ü".encode("latin-1")
    body = b'--XX\r\ncontent-disposition: form-data; name="' + name + b'"\r\n\r\n1\r\n'
    assert texts_of(body, charset="latin_1") == [("ü", "1")]


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (part("a", b"\xef"), KIND, "the form's field 'a' is not UTF-8"),
        (part("a", b"1"), KIND + "; charset=idna", "the form's content type names the character encoding 'idna'"),
        (part("a", b"1"), KIND + "; charset=utf-16", "'utf-16', in which a form cannot be read"),
        (
            part("_charset_", b"unicode_escape"),
            KIND,
            "'_charset_' names the character encoding 'unicode_escape'",
        ),
        (part("a", b"1", more="Content-Type: a/b; charset=zip\r\n"), KIND, "field 'a' names an unknown .*: 'zip'"),
        (part("a", b"\x81", more="Content-Type: a/b; charset=cp1252\r\n"), KIND, "the form's field 'a' is not cp1252"),
    ],
)
def test_text_that_cannot_be_decoded(body: bytes, kind: str, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        parse_multipart(body + END, kind)


def test_an_urlencoded_form_in_another_encoding() -> None:
    kind = "application/x-www-form-urlencoded"
    assert parse_pairs(b"a=na%EFve", kind + "; charset=ISO-8859-1").fields["a"] == "naïve"
    assert parse_pairs(b"a=na%EFve", kind, charset="cp1252").fields["a"] == "naïve"
    assert parse_pairs("a=ü".encode(), kind + "; charset=utf-8").fields["a"] == "ü"
    with pytest.raises(BadRequest, match="content type names the character encoding 'utf-7'"):
        parse_pairs(b"a=1", kind + "; charset=utf-7")


# ------------------------------------------------------------------------------------------------ limits, once more


@pytest.mark.parametrize(
    "limits",
    [
        FormLimits(fields=1),
        FormLimits(text=9),
        FormLimits(files=1),
        FormLimits(file_size=4),
        FormLimits(part_headers=1),
        FormLimits(part_header_size=50),
    ],
)
def test_a_form_that_was_read_is_compared_with_other_limits(limits: FormLimits) -> None:
    body = part("a", b"1234") + part("b", b"1234") + part("f", b"12345", "x") + part("g", b"1", "y", "X-A: b\r\n") + END
    form = parse_multipart(body, KIND)
    form.check(FormLimits(fields=2, text=10, files=2, file_size=5, part_headers=2, part_header_size=70))
    with pytest.raises(ContentTooLarge) as then:
        form.check(limits)
    with pytest.raises(ContentTooLarge) as first:
        parse_multipart(body, KIND, limits)
    assert then.value.detail == first.value.detail


def test_an_urlencoded_form_too() -> None:
    form = parse_pairs(b"a=1&b=2", "")
    form.check(FormLimits(fields=2, text=7))
    with pytest.raises(BadRequest, match="at most 1 fields"):
        form.check(FormLimits(fields=1))
    with pytest.raises(ContentTooLarge):
        form.check(FormLimits(text=6))


def test_a_form_on_disk_is_finished_in_a_thread() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield part("f", b"x" * 1000, "x")
        yield END

    form = asyncio.run(receive_multipart(chunks(), KIND, FormLimits(memory=0)))
    assert form.files(Upload)["f"].read() == b"x" * 1000


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
