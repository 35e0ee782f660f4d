"""Changes are noticed, with watchfiles and without; a burst of them is one."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from atlas.server.configuration.settings import Settings
from atlas.server.reload import file_watcher
from atlas.server.reload.file_watcher import Changes, FileWatcher
from atlas.server.reload.watched_files import Effect, WatchedFiles

PATIENCE = 30.0
Edit = Callable[[Path], None]


@pytest.fixture(params=["watchfiles", "polling"])
def method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "polling":
        monkeypatch.setattr(file_watcher, "_watchfiles", lambda: None)
    else:
        pytest.importorskip("watchfiles")
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "main.py").write_text("1")
    (tmp_path / "home.html").write_text("1")
    return Path.cwd()


def changes_of(folder: Path, *edits: Edit, method: str) -> list[Changes]:
    """The changes that are noticed after each edit."""

    async def watch() -> list[Changes]:
        found = []
        async with FileWatcher(WatchedFiles.of(Settings()), 0.02) as watcher, asyncio.timeout(PATIENCE):
            assert watcher.method == method
            for edit in edits:
                waiting = asyncio.ensure_future(watcher.wait())
                await asyncio.sleep(0)
                edit(folder)
                found.append(await waiting)
        return found

    return asyncio.run(watch())


def replace(folder: Path) -> None:
    """Save as many editors do: another file takes the name."""
    (folder / ".main.py.swp").write_text("22")
    (folder / ".main.py.swp").replace(folder / "main.py")


def test_each_kind_of_change(folder: Path, method: str) -> None:
    found = changes_of(
        folder,
        lambda folder: folder.joinpath("main.py").write_text("1 + 1") and None,
        replace,
        lambda folder: folder.joinpath("new.py").write_text("") and None,
        lambda folder: folder.joinpath("new.py").unlink(),
        lambda folder: folder.joinpath("home.html").write_text("11") and None,
        method=method,
    )
    main, new = folder / "main.py", folder / "new.py"
    assert found == [
        {Effect.RESTART: [main]},
        {Effect.RESTART: [main]},
        {Effect.RESTART: [new]},
        {Effect.RESTART: [new]},
        {Effect.REFRESH: [folder / "home.html"]},
    ]


def test_a_file_in_a_new_directory(folder: Path, method: str) -> None:
    def make(folder: Path) -> None:
        (folder / "a/b").mkdir(parents=True)
        (folder / "a/b/c.py").write_text("")

    assert changes_of(folder, make, method=method) == [{Effect.RESTART: [folder / "a/b/c.py"]}]


def test_a_burst_is_one_change(folder: Path, method: str) -> None:
    def write_many(folder: Path) -> None:
        for number in range(50):
            (folder / f"module_{number:02}.py").write_text("")

    [found] = changes_of(folder, write_many, method=method)
    assert len(found[Effect.RESTART]) == 50


def test_a_file_of_settings_outside(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(file_watcher, "_EVENT_INTERVAL", 0.02)
    variables = tmp_path_factory.mktemp("conf") / "vars"
    variables.write_text("A=1")

    async def watch() -> Changes:
        files = WatchedFiles.of(Settings(env_file=str(variables)))
        async with FileWatcher(files, 0.02) as watcher, asyncio.timeout(PATIENCE):
            variables.write_text("A=22")
            return await watcher.wait()

    assert asyncio.run(watch()) == {Effect.SETTINGS: [variables]}


def test_what_is_caught_up_with_is_no_change(folder: Path, method: str) -> None:
    async def watch() -> Changes:
        async with FileWatcher(WatchedFiles.of(Settings()), 0.02) as watcher, asyncio.timeout(PATIENCE):
            (folder / "main.py").write_text("known")
            await watcher.catch_up()
            (folder / "other.py").write_text("")
            return await watcher.wait()

    assert asyncio.run(watch()) == {Effect.RESTART: [folder / "other.py"]}


def test_files_are_polled_where_the_system_cannot_watch(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*paths: Path, **options: object) -> object:
        raise OSError("no more watches")

    monkeypatch.setattr(file_watcher, "_watchfiles", lambda: refuse)

    async def watch() -> Changes:
        async with FileWatcher(WatchedFiles.of(Settings()), 0.02) as watcher, asyncio.timeout(PATIENCE):
            assert watcher.method == "polling"
            os.utime(folder / "main.py", (1, 1))
            return await watcher.wait()

    assert asyncio.run(watch()) == {Effect.RESTART: [folder / "main.py"]}
    assert "watchfiles cannot watch the files (no more watches): they are polled" in caplog.text
