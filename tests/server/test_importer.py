"""Finding an application, and saying why there is none."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from atlas.errors import StartupError
from atlas.server.importer import ApplicationFailed, ImportTargetError, RunDuringImport, check_not_imported, load

APP = "async def app(scope, receive, send): ...\n"


@pytest.fixture(autouse=True)
def fresh_modules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """What a test imports is forgotten again; the current folder is the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("file", "target"),
    [
        ("first.py", "first:app"),
        ("first.py", "first"),
        ("package/deep/asgi.py", "package.deep.asgi:app"),
        ("main.py", ""),
        ("app/main.py", ""),
    ],
)
def test_finds(tmp_path: Path, file: str, target: str) -> None:
    write(tmp_path / file, APP)
    assert load(target).__name__ == "app"


def test_main_py_comes_before_app_main_py(tmp_path: Path) -> None:
    write(tmp_path / "main.py", "def app(scope, receive, send): 'the first'")
    write(tmp_path / "app/main.py", APP)
    assert load("").__doc__ == "the first"


def test_an_attribute_with_dots(tmp_path: Path) -> None:
    write(tmp_path / "dotted.py", "class site:\n    @staticmethod\n    async def app(scope, receive, send): ...")
    assert load("dotted:site.app").__qualname__ == "site.app"


def test_another_folder(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere/other.py", APP)
    assert load("other:app", app_dir="elsewhere").__name__ == "app"
    assert sys.path[0] == str(tmp_path / "elsewhere")


def test_a_factory(tmp_path: Path) -> None:
    write(tmp_path / "made.py", f"def create():\n    {APP}    return app")
    assert load("made:create", factory=True).__name__ == "app"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("mian:app", r"^there is no module 'mian' in /.*: did you mean 'main'\?$"),
        ("qqqq:app", r"^there is no module 'qqqq' in /[^:]*$"),
        ("pack.asgy:app", r"^there is no module 'pack.asgy' in /.*: did you mean 'pack.asgi'\?$"),
        ("main:ap", r"^'main' has no attribute 'ap': did you mean 'app'\?$"),
        ("main:app.nothing", r"^'main:app' has no attribute 'nothing'$"),
        ("main:settings", r"^'main:settings' is a dict, not an application$"),
        ("main:nothing", r"^'main:nothing' is None, not an application$"),
        ("main:create", r"^'main:create' takes no arguments: if it returns the application, add --factory$"),
        ("main.py", r"^'main.py' is a path: write 'main:app'$"),
        ("./pack/asgi.py:site", r"^'./pack/asgi.py:site' is a path: write 'pack.asgi:site'$"),
        ("main:app:more", r"^'main:app:more' is not 'module:attr', as in 'main:app'$"),
        (":app", r"^':app' is not 'module:attr'"),
    ],
)
def test_a_target_that_names_nothing(tmp_path: Path, target: str, message: str) -> None:
    write(tmp_path / "main.py", f"{APP}settings = {{}}\nnothing = None\ndef create(): return app")
    write(tmp_path / "pack/asgi.py", APP)
    with pytest.raises(ImportTargetError, match=message):
        load(target)


def test_no_target_and_nothing_to_guess() -> None:
    with pytest.raises(
        ImportTargetError, match=r"there is no main\.py and no app/main\.py in /.*: name the application"
    ):
        load("")


def test_a_folder_that_is_missing() -> None:
    with pytest.raises(ImportTargetError, match=r"^--app-dir nowhere: there is no such directory$"):
        load("main:app", app_dir="nowhere")


@pytest.mark.parametrize(
    ("text", "message", "last"),
    [
        ("1 / 0", r"^'main' cannot be imported: ZeroDivisionError: division by zero$", "ZeroDivisionError: division"),
        ("import nowhere_to_be_found", r"imports the module 'nowhere_to_be_found', which was not found$", "ModuleNotF"),
        ("from os import nothing_of_it", r"^'main' cannot be imported: ImportError: ", "ImportError: "),
        ("def", r"^'main' cannot be imported: SyntaxError: ", "SyntaxError: "),
        ("raise SystemExit(3)", r"^importing 'main' raised SystemExit: 3$", "SystemExit: 3"),
        ("raise ValueError('two\\nlines')", r"^'main' cannot be imported: ValueError: two$", "lines"),
        ("raise KeyError", r"^'main' cannot be imported: KeyError$", "KeyError"),
    ],
)
def test_a_module_that_fails(tmp_path: Path, text: str, message: str, last: str) -> None:
    write(tmp_path / "main.py", text)
    with pytest.raises(ApplicationFailed, match=message) as failed:
        load("main:app")
    lines = failed.value.trace.splitlines()
    assert lines[-1].startswith(last)
    assert str(tmp_path / "main.py") in failed.value.trace
    assert "importlib" not in failed.value.trace
    assert "atlas/server" not in failed.value.trace


def test_a_module_that_fails_further_down(tmp_path: Path) -> None:
    write(tmp_path / "main.py", "import below")
    write(tmp_path / "below.py", "1 / 0")
    with pytest.raises(ApplicationFailed) as failed:
        load("main:app")
    files = [line.split('"')[1] for line in failed.value.trace.splitlines() if line.startswith("  File")]
    assert (files[0], files[-1]) == (str(tmp_path / "main.py"), str(tmp_path / "below.py"))


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("create = 1", ImportTargetError, r"^'main:create' is an int, not a function that returns the application"),
        ("def create(): 1 / 0", ApplicationFailed, r"^the factory 'main:create' raised ZeroDivisionError: division"),
        ("def create(): pass", ImportTargetError, r"^the factory 'main:create' returned None, not an application$"),
    ],
)
def test_a_factory_that_fails(tmp_path: Path, text: str, error: type[StartupError], message: str) -> None:
    write(tmp_path / "main.py", text)
    with pytest.raises(error, match=message):
        load("main:create", factory=True)


@pytest.mark.parametrize("file", ["atlas.py", "atlas/__init__.py"])
def test_an_application_with_the_name_of_this_package(tmp_path: Path, file: str) -> None:
    write(tmp_path / file, APP)
    with pytest.raises(
        ImportTargetError, match=r"/atlas(\.py)? has the name of the package that serves it: rename it$"
    ):
        load("atlas:app")


@pytest.mark.parametrize("below", [False, True])
def test_a_module_that_runs_while_it_is_imported(tmp_path: Path, below: bool) -> None:
    write(tmp_path / "runs.py", f"import atlas\n{APP}atlas.run(app, port=0)\n")
    write(tmp_path / "main.py", "from runs import app\n")
    name = "main" if below else "runs"
    with pytest.raises(
        RunDuringImport,
        match=rf"^atlas\.run\(\) is called while '{name}' is imported to be served: put the call below 'if __name__",
    ):
        load(f"{name}:app")


def test_a_main_module_that_runs_in_a_child_of_multiprocessing() -> None:
    with pytest.raises(RunDuringImport, match="while a process of multiprocessing imports the main module"):
        check_not_imported("__mp_main__")
    check_not_imported("__main__")
