import asyncio
import hashlib
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from atlas.web.stores.files import FileStore


class Clock:
    now = 2_000_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a" / "sessions"


def path_of(folder: Path, name: str) -> Path:
    return folder / (hashlib.sha256(name.encode()).hexdigest() + ".session")


def keep(store: FileStore, name: str, data: bytes = b"data", seconds: float = 60) -> None:
    asyncio.run(store.set(name, data, seconds))


def get(store: FileStore, name: str) -> Any:
    return asyncio.run(store.get(name))


def test_files_are_private(folder: Path) -> None:
    keep(FileStore(folder), "a")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path_of(folder, "a").stat().st_mode) == 0o600


def test_names_are_not_in_the_folder(folder: Path) -> None:
    keep(FileStore(folder), "../secret")
    assert [path.name for path in folder.iterdir()] == [path_of(folder, "../secret").name]
    assert list(folder.parent.iterdir()) == [folder]


def test_another_process_sees_it(folder: Path) -> None:
    keep(FileStore(folder), "a")
    assert get(FileStore(folder), "a") == b"data"


@pytest.mark.parametrize("left", [0, 3, 15, 16, 19])
def test_an_incomplete_file_is_ignored(folder: Path, left: int, clock: Clock) -> None:
    store = FileStore(folder, clock=clock)
    keep(store, "a")
    path = path_of(folder, "a")
    whole = path.read_bytes()
    path.write_bytes(whole[:left])
    os.utime(path, (clock.now + 60, clock.now + 60))
    assert get(store, "a") is None
    keep(store, "a", b"new")
    assert get(store, "a") == b"new"


def test_a_failed_write_keeps_the_old_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileStore(folder)
    keep(store, "a", b"old")

    def fail(self: Path, target: Path) -> Path:
        raise OSError("no room")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no room"):
        patch.setattr(Path, "replace", fail)
        keep(store, "a", b"new")
    assert get(store, "a") == b"old"
    assert len(list(folder.iterdir())) == 1


def test_a_link_is_not_followed(folder: Path, tmp_path: Path, clock: Clock) -> None:
    store = FileStore(folder, clock=clock)
    keep(store, "a")
    elsewhere = tmp_path / "elsewhere"
    path_of(folder, "a").rename(elsewhere)
    before = elsewhere.stat().st_mtime
    path_of(folder, "a").symlink_to(elsewhere)
    assert get(store, "a") is None
    asyncio.run(store.touch("a", 999))
    keep(store, "a", b"new")
    assert (elsewhere.stat().st_mtime, path_of(folder, "a").is_symlink(), get(store, "a")) == (before, False, b"new")
    assert elsewhere.read_bytes().endswith(b"data")


def test_a_pipe_does_not_block(folder: Path) -> None:
    store = FileStore(folder)
    os.mkfifo(path_of(folder, "a"))
    assert get(store, "a") is None


def test_sweeping(folder: Path, clock: Clock) -> None:
    store = FileStore(folder, clock=clock)
    keep(store, "a", seconds=60)
    keep(store, "b", seconds=600)
    for name, age in (("old.unfinished", 3601), ("new.unfinished", 3599), ("readme.txt", 99999)):
        (folder / name).touch()
        os.utime(folder / name, (clock.now - age, clock.now - age))
    assert store.sweep() == 1
    clock.now += 60
    assert store.sweep() == 2
    assert {path.name for path in folder.iterdir()} == {path_of(folder, "b").name, "readme.txt"}


def test_sweeping_after_a_number_of_writes(folder: Path, clock: Clock) -> None:
    store = FileStore(folder, sweep_every=3, clock=clock)
    for name in "ab":
        keep(store, name, seconds=0)
    assert len(list(folder.iterdir())) == 2
    keep(store, "c")
    assert len(list(folder.iterdir())) == 1


def test_invalid_arguments(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="FileStore: .* is not a folder"):
        FileStore(tmp_path / "file")
    with pytest.raises(ValueError, match="sweep_every"):
        FileStore(tmp_path, sweep_every=0)
