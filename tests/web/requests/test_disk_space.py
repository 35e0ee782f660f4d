"""The files of a form on disk: any number of them takes one descriptor."""

import os
from io import BufferedReader

import pytest

from atlas.web.requests.disk_space import DiskSpace, Section
from atlas.web.requests.form_reader import MultipartReader
from atlas.web.requests.forms import FormLimits


def test_sections_are_read_as_files() -> None:
    space = DiskSpace()
    space.append(b"one\nlines")
    start = space.size
    space.append(memoryview(b"two"))
    first, second = BufferedReader(Section(space, 0, start)), BufferedReader(Section(space, start, 3))
    assert first.readline() == b"one\n"
    assert (first.read(), first.read()) == (b"lines", b"")
    assert (first.seek(-2, os.SEEK_END), first.read(), first.seek(1), first.read(2)) == (7, b"es", 1, b"ne")
    assert (first.seek(100), first.read()) == (100, b"")
    assert second.read() == b"two"
    with pytest.raises(ValueError, match="expected a position from 0, got -1"):
        Section(space, 0, 3).seek(-1)
    first.close()
    with pytest.raises(ValueError, match="closed file"):
        first.read()


def test_a_form_takes_one_descriptor() -> None:
    def part(number: int) -> bytes:
        return b'--x\r\nContent-Disposition: form-data; name="f%d"; filename="f"\r\n\r\n%d\r\n' % (number, number)

    before = len(os.listdir("/dev/fd"))
    reader = MultipartReader("multipart/form-data; boundary=x", FormLimits(memory=0), None)
    reader.feed(b"".join(map(part, range(50))) + b"--x--\r\n")
    assert len(os.listdir("/dev/fd")) == before + 1
    form = reader.finish()
    files = [file for _, file in form.stored]
    assert [int(file.file.read()) for file in files] == list(range(50))
    for file in files[1:]:
        file.close()
    assert files[0].file.seek(0) == 0
    assert files[0].file.read() == b"0"
    del reader, form, files, file
    assert len(os.listdir("/dev/fd")) == before
