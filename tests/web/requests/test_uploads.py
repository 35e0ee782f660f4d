import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from atlas.gateway.greenlets import in_greenlet
from atlas.web.requests.form_reader import MultipartReader
from atlas.web.requests.forms import FormLimits
from atlas.web.requests.uploads import AsyncUpload, Upload, plain_name


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
    """A file of a form, on disk if it has more than ``memory`` bytes."""
    head = b'--XX\r\nContent-Disposition: form-data; name="f"; filename="../x"\r\n\r\n'
    reader = MultipartReader("multipart/form-data; boundary=XX", FormLimits(memory=memory))
    reader.feed(head + content + b"\r\n--XX--\r\n")
    return reader.finish().files(kind)["f"]


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


@pytest.mark.parametrize("method", ["save", "read", "iterate"])
def test_the_event_loop_continues_while_the_disk_is_used(tmp_path: Path, method: str) -> None:
    """Each method waits here for what only the event loop can do, as on a slow disk."""
    upload = upload_of(Upload, b"abc" * 50_000, memory=0)
    using, continued = threading.Event(), threading.Event()
    read = upload.file.read

    class SlowFile:
        def seek(self, offset: int) -> None:
            upload._stored.file.seek(offset)

        def read(self, size: int = -1) -> bytes:
            using.set()
            assert continued.wait(10)
            return bytes(read(size))

    upload.file = SlowFile()

    def controller() -> int:
        if method == "save":
            upload.save(tmp_path / "mine")
            return (tmp_path / "mine").stat().st_size
        return len(upload.read() if method == "read" else b"".join(upload))

    async def go() -> int:
        task = asyncio.create_task(in_greenlet(controller))
        while not using.is_set():
            await asyncio.sleep(0)
        continued.set()
        return await task

    assert asyncio.run(go()) == 150_000


def test_an_upload_in_a_thread_is_saved_there(tmp_path: Path) -> None:
    upload = upload_of(Upload, b"abc")
    thread = threading.Thread(target=upload.save, args=[tmp_path / "mine"])
    thread.start()
    thread.join()
    assert (tmp_path / "mine").read_bytes() == b"abc"
