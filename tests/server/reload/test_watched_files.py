"""Which files a reload watches: uvicorn's patterns, and what must not restart a server."""

import os
from pathlib import Path

import pytest

from atlas.errors import StartupError
from atlas.server.configuration.settings import Settings
from atlas.server.reload.watched_files import Effect, WatchedFiles, describe


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path.cwd()


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


@pytest.mark.parametrize(
    ("name", "effect"),
    [
        ("main.py", Effect.RESTART),
        ("a/b/models.py", Effect.RESTART),
        (".hidden.py", None),
        ("~main.py", None),
        ("main.pyc", None),
        ("__pycache__/main.py", None),
        (".git/hook.py", None),
        ("node_modules/x/setup.py", None),
        ("lib/site-packages/x.py", None),
        ("templates/home.html", Effect.REFRESH),
        ("static/site.CSS", Effect.REFRESH),
        ("static/.site.css", None),
        ("data/site.db", None),
        ("access.log", None),
        ("pyproject.toml", Effect.SETTINGS),
        ("atlas.toml", Effect.SETTINGS),
        ("sub/atlas.toml", None),
        ("../outside.py", None),
    ],
)
def test_what_a_change_means(folder: Path, name: str, effect: Effect | None) -> None:
    assert WatchedFiles.of(Settings()).effect(Path(os.path.normpath(folder / name))) is effect


def test_a_virtual_environment_is_not_watched(folder: Path) -> None:
    make(folder, "env/pyvenv.cfg", "env/lib/x.py", "main.py")
    files = WatchedFiles.of(Settings())
    assert files.effect(folder / "env/lib/x.py") is None
    assert set(files.snapshot()) == {folder / "main.py"}


def test_patterns_to_include_and_exclude(folder: Path) -> None:
    files = WatchedFiles.of(Settings(reload_includes=("*.yaml", ".env.local"), reload_excludes=("test_*.py", "a/b.py")))
    expected = {
        "x.yaml": Effect.RESTART,
        ".x.yaml": None,
        ".env.local": Effect.RESTART,  # named as it is: the pattern .* does not exclude it
        "test_x.py": None,
        "deep/a/b.py": None,
        "b.py": Effect.RESTART,
    }
    assert {name: files.effect(folder / name) for name in expected} == expected


def test_a_default_pattern_is_dropped_by_the_opposite_flag(folder: Path) -> None:
    files = WatchedFiles.of(Settings(reload_excludes=("*.py",), reload_includes=("~*", "*.toml")))
    assert files.effect(folder / "main.py") is None
    assert files.effect(folder / "~x") is Effect.RESTART
    assert files.effect(folder / "conf/x.toml") is Effect.RESTART


def test_directories_to_watch(folder: Path) -> None:
    make(folder, "src/a.py", "src/sub/b.py", "other/c.py", "d.py")
    files = WatchedFiles.of(Settings(reload_dirs=("src", "src/sub")))
    assert files.roots == (folder / "src",)
    assert set(files.snapshot()) == {folder / "src/a.py", folder / "src/sub/b.py"}


def test_a_hidden_directory_that_is_named_is_watched(folder: Path) -> None:
    make(folder, ".build/a.py")
    assert set(WatchedFiles.of(Settings(reload_dirs=(".build",))).snapshot()) == {folder / ".build/a.py"}


def test_directories_by_the_flags_of_patterns(folder: Path) -> None:
    make(folder, "src/a.py", "src/generated/b.py", "lib/c.py", "d.py")
    files = WatchedFiles.of(Settings(reload_includes=("src", "li*"), reload_excludes=("src/gen*",)))
    assert set(files.roots) == {folder / "src", folder / "lib"}
    assert set(files.snapshot()) == {folder / "src/a.py", folder / "lib/c.py"}


def test_the_directory_of_the_application_is_watched(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("app").resolve()
    assert WatchedFiles.of(Settings(app_dir=str(outside))).roots == (folder, outside)
    (folder / "sub").mkdir()
    assert WatchedFiles.of(Settings(app_dir="sub")).roots == (folder,)


def test_the_env_file_is_watched_wherever_it_is(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("conf") / "vars"
    outside.write_text("A=1")
    files = WatchedFiles.of(Settings(env_file=str(outside)))
    assert files.effect(outside) is Effect.SETTINGS
    assert set(files.settings_snapshot()) == {outside}


def test_a_directory_that_is_not_there(folder: Path) -> None:
    with pytest.raises(StartupError, match="^--reload-dir nowhere: there is no such directory$"):
        WatchedFiles.of(Settings(reload_dirs=("nowhere",)))


def test_a_description_is_short(folder: Path) -> None:
    assert describe([folder / "b.py", folder / "a/a.py", Path("/etc/x")]) == "'/etc/x', 'a/a.py', 'b.py'"
    assert describe([folder / f"{number}.py" for number in range(5)]) == "'0.py', '1.py', '2.py' and 2 more"
