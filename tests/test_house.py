"""The house rules: who may import whom, how long things may get, and that every module has its test file.

The rules are in ARCHITECTURE.md. A table here that grows is a decision; it should take a reason.
"""

import ast
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import atlas

ROOT = Path(__file__).parent.parent
ATLAS = ROOT / "atlas"

# ------------------------------------------------------------------------------------------------ who imports whom

WORDS = {"errors", "types"}
BYTES = WORDS | {"_speedups"}
WAIST = BYTES | {"gateway"}

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "types": set(),
    "_speedups": WORDS,
    "gateway": BYTES,
    "server": WAIST,
    "web": WAIST,
    "testing": WAIST | {"server", "web"},
    "sqlalchemy": WAIST | {"web"},
    "cli": WAIST | {"server", "web", "testing"},
    "__main__": {"cli"},
}

LIVES_IN: dict[str, tuple[str, ...]] = {
    # SQLAlchemy's async half is asyncio's, so its room knows it too.
    "asyncio": ("atlas/server/", "atlas/gateway/", "atlas/testing/", "atlas/sqlalchemy/"),
    "socket": ("atlas/server/",),
    "ssl": ("atlas/server/",),
    "signal": ("atlas/server/",),
    "uvloop": ("atlas/server/",),
    "httptools": ("atlas/_speedups/",),
    "greenlet": ("atlas/gateway/",),
    "jinja2": ("atlas/web/templates",),
    "click": ("atlas/cli/",),
    "itsdangerous": ("atlas/web/sessions/",),
    "sqlalchemy": ("atlas/sqlalchemy/",),
}

CYTHON_IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+c?import|c?import\s+([\w.]+(?:\s*,\s*[\w.]+)*))", re.MULTILINE)


def sources(*suffixes: str) -> list[Path]:
    return sorted(path for path in ATLAS.rglob("*") if path.suffix in suffixes)


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room_of(path: Path) -> str:
    return path.relative_to(ATLAS).parts[0].removesuffix(path.suffix)


def imported(path: Path) -> Iterator[str]:
    """Every module that a source file imports, with dots; for a ``.pyx`` or ``.pxd`` its cimports too."""
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".pyx", ".pxd"):
        for match in CYTHON_IMPORT.finditer(text):
            yield from ([match[1]] if match[1] else re.split(r"\s*,\s*", match[2]))
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", sources(".py", ".pyi", ".pyx", ".pxd"), ids=short)
def test_a_floor_imports_only_from_floors_below(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        return  # the public names come from everywhere
    for name in imported(path):
        first, _, rest = name.partition(".")
        if first == "atlas" and rest != "__version__":
            other = rest.partition(".")[0]
            assert other == room or other in MAY_IMPORT[room], f"{short(path)} imports {name}"


@pytest.mark.parametrize("path", sources(".py", ".pyi", ".pyx", ".pxd"), ids=short)
def test_a_tool_lives_where_it_belongs(path: Path) -> None:
    for name in imported(path):
        homes = LIVES_IN.get(name.partition(".")[0], ("",))
        assert short(path).startswith(homes), f"{short(path)} imports {name}, which lives in {', '.join(homes)}"


def test_every_room_is_in_the_table() -> None:
    rooms = {room_of(path) for path in sources(".py", ".pyx")} - {"__init__"}
    assert rooms <= set(MAY_IMPORT)


@pytest.mark.parametrize(
    "text", ["from atlas.web.routing.router cimport Route", "  cimport atlas.web.routing.router", "import a, atlas.web"]
)
def test_cimports_are_seen(text: str, tmp_path: Path) -> None:
    (tmp_path / "room.pyx").write_text(text)
    assert any(name.startswith("atlas.web") for name in imported(tmp_path / "room.pyx"))


# ------------------------------------------------------------------------------------------------------- budgets

MOST_LINES_OF_A_FILE = 500
MOST_LINES_OF_A_FUNCTION = 60
MEDIAN_OF_A_FUNCTION = 12

CYTHON_FUNCTION = re.compile(r"^(\s*)(?:async\s+def|def|cdef|cpdef)\b[^=]*\(.*", re.ASCII)


def all_sources() -> list[Path]:
    folders = ("atlas", "tests", "bench", "examples")
    return sorted(
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".pyi", ".pyx", ".pxd")
    )


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function of a file with the number of its lines."""
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".pyx", ".pxd"):
        yield from cython_functions(text.splitlines())
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            yield f"{node.name} (line {node.lineno})", node.end_lineno - node.lineno + 1


def cython_functions(lines: list[str]) -> Iterator[tuple[str, int]]:
    """As :func:`functions`, by indentation: a function ends where a line stands no deeper than its ``def``."""
    for start, line in enumerate(lines):
        match = CYTHON_FUNCTION.match(line)
        if match is None or line.lstrip().startswith(("cdef class", "cdef extern")):
            continue
        depth, end = len(match[1]), start
        for number in range(start + 1, len(lines)):
            bare = lines[number].strip()
            if bare and len(lines[number]) - len(lines[number].lstrip()) <= depth and not bare.startswith(")"):
                break
            end = number if bare else end
        if end > start:
            yield f"{line.strip()} (line {start + 1})", end - start + 1


@pytest.mark.parametrize("path", all_sources(), ids=short)
def test_a_file_is_short(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES_OF_A_FILE, f"{short(path)} has {lines} lines"


@pytest.mark.parametrize("path", all_sources(), ids=short)
def test_a_function_is_short(path: Path) -> None:
    long = [f"{name}: {lines} lines" for name, lines in functions(path) if lines > MOST_LINES_OF_A_FUNCTION]
    assert not long, f"{short(path)}: {long}"


def test_most_functions_are_very_short() -> None:
    lengths = [lines for path in sources(".py", ".pyx") for _, lines in functions(path)]
    assert statistics.median(lengths) <= MEDIAN_OF_A_FUNCTION


def test_cython_functions_are_measured() -> None:
    text = (
        "cdef class A:\n    cdef int size\n\n    cdef int grow(\n        self,\n    ) except -1:\n"
        "        self.size += 1\n\n        return 0\n\ndef one(): pass\ncpdef two():\n    pass\n"
    )
    assert [lines for _, lines in cython_functions(text.splitlines())] == [6, 2]


# ------------------------------------------------------------------------------------------------ names and tests

DRAWERS = re.compile(r"(utils?|helpers?|common|core|base|misc|stuff)")


def modules() -> list[Path]:
    return [path for path in sources(".py", ".pyx") if not path.stem.startswith("__")]


def has_code(path: Path) -> bool:
    """Whether there is anything to test: a module of words only (types, constants) has none."""
    if path.suffix == ".pyx":
        return True
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for node in nodes)


@pytest.mark.parametrize("path", [path for path in modules() if has_code(path)], ids=short)
def test_every_module_has_its_test_file(path: Path) -> None:
    inside = path.relative_to(ATLAS).parent
    assert (ROOT / "tests" / inside / f"test_{path.stem}.py").is_file()


@pytest.mark.parametrize("path", all_sources(), ids=short)
def test_a_module_is_named_for_its_idea(path: Path) -> None:
    assert not DRAWERS.fullmatch(path.stem), f"{short(path)}: name the idea, not the drawer"
    assert not DRAWERS.fullmatch(path.parent.name), f"{short(path)}: name the idea, not the drawer"


SOMEBODYS_MACHINE = re.compile(r"(?<![\w.~$}/])/(?:home|root|Users|work|tmp)/\w")
LEFT_OVER = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")


def prose() -> list[Path]:
    texts = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        ROOT / "Makefile",
        ROOT / "pyproject.toml",
        ROOT / "setup.py",
    ]
    return sorted([*sources(".py", ".pyi", ".pyx", ".pxd"), *(path for path in texts if path.is_file())])


@pytest.mark.parametrize("path", prose(), ids=short)
def test_nothing_speaks_of_one_machine_or_of_work_left_undone(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not SOMEBODYS_MACHINE.search(text)
    assert not LEFT_OVER.search(text)


# -------------------------------------------------------------------------------------------------- import atlas


def test_importing_atlas_loads_nothing_heavy() -> None:
    heavy = ["atlas.server", "atlas.web", "atlas._speedups", "asyncio", "jinja2", "click", "uvloop", "msgspec"]
    heavy += ["sqlalchemy"]
    code = f"import sys, atlas; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_the_version_is_said_once_and_repeated_right() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert atlas.__version__ == project["version"]
