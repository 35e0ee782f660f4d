"""The architecture: which package may import which, and the budgets of files and functions.

ARCHITECTURE.md describes the layers. A row or an entry that is added to a table here is a decision, and needs a reason.
"""

import ast
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest

import atlas

ROOT = Path(__file__).parent.parent
ATLAS = ROOT / "atlas"
PYTHON, CYTHON = (".py", ".pyi"), (".pyx", ".pxd")

# ---------------------------------------------------------------------------------------------------------- layers

LEAVES = {"errors", "reasons", "types"}
BELOW_SERVER = (
    LEAVES | {f"_speedups/{name}" for name in ("buffers", "http", "websocket", "http1", "calls")} | {"gateway"}
)
# Connections and protocols are known to the server only.
BELOW_WEB = LEAVES | {"_speedups/calls", "templates", "gateway"}

# Each package, from the lowest layer to the highest, with the packages that it may import. Imports for typing count.
LAYERS: dict[str, set[str]] = {
    "errors": set(),
    "reasons": set(),
    "types": set(),
    "_speedups/buffers": LEAVES,
    "_speedups/http": LEAVES | {"_speedups/buffers"},
    "_speedups/websocket": LEAVES | {"_speedups/buffers", "_speedups/http"},
    "_speedups/http1": LEAVES | {"_speedups/buffers", "_speedups/http", "_speedups/websocket"},
    "_speedups/calls": LEAVES | {"_speedups/buffers", "_speedups/http", "_speedups/http1", "_speedups/websocket"},
    "_speedups/templates": set(),  # an engine that works without the rest of Atlas, in any application
    "templates": {"_speedups/templates"},
    "gateway": LEAVES | {"_speedups/http", "_speedups/websocket", "_speedups/calls"},
    "server": BELOW_SERVER,
    "web": BELOW_WEB,
    "sqlalchemy": LEAVES | {"gateway", "web"},
    "otel": LEAVES | {"web"},
    "redis": LEAVES | {"gateway", "web"},
    "gunicorn": LEAVES | {"server"},
    "testing": LEAVES | {"gateway", "server", "web"},
    "cli": LEAVES | {"templates", "gateway", "server", "web", "testing"},
    "__main__": {"cli"},
}

# The libraries that only some packages may import, also by import_module("name").
LIBRARIES: dict[str, tuple[str, ...]] = {
    # The asynchronous halves of SQLAlchemy and redis-py are built on asyncio.
    "asyncio": ("server", "gateway", "testing", "sqlalchemy", "redis", "gunicorn", "_speedups/calls"),
    "concurrent": ("server", "gateway"),
    "multiprocessing": ("server",),
    "signal": ("server", "gunicorn"),
    "socket": ("server",),
    "ssl": ("server",),
    "uvloop": ("server",),
    "brotli": ("web/responses", "web/requests"),
    "click": ("cli",),
    "gunicorn": ("gunicorn",),
    "greenlet": ("gateway", "_speedups/calls"),
    "httptools": ("_speedups/http1",),
    "itsdangerous": ("web/sessions",),
    "jinja2": ("web/templates", "templates", "_speedups/templates"),
    "msgspec": ("web", "testing"),
    "opentelemetry": ("otel",),
    "multipart": (),  # the module of two packages that exclude each other: neither may be needed
    "pydantic": ("web/inputs",),
    "pytest": ("testing", "sqlalchemy"),
    "redis": ("redis",),
    "sqlalchemy": ("sqlalchemy",),
    "zstandard": ("web/responses", "web/requests"),
}

# The words that a package must not use, neither in code nor in comments: what they name belongs to a higher layer.
# Whole words in singular or plural; part of an identifier (scope_template) is not a whole word.
WORDS_OF_WEB = ("route", "router", "routing", "controller", "middleware", "template", "jinja")
FORBIDDEN_WORDS: dict[str, tuple[str, ...]] = {
    "_speedups/buffers": (*WORDS_OF_WEB, "http", "http1", "http2", "request", "header"),
    "_speedups/http": WORDS_OF_WEB,
    "_speedups/websocket": WORDS_OF_WEB,
    "_speedups/http1": WORDS_OF_WEB,
}

CYTHON_IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+c?import|c?import\s+([\w.]+(?:\s*,\s*[\w.]+)*))", re.MULTILINE)


def sources(*suffixes: str) -> list[Path]:
    return sorted(path for path in ATLAS.rglob("*") if path.suffix in suffixes)


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def package_of(path: Path) -> str:
    """The row of a source file in the table: ``web``, ``_speedups/http1``."""
    return package_named(list(path.relative_to(ATLAS).with_suffix("").parts))


def package_named(parts: list[str]) -> str:
    return "/".join(parts[:2]) if parts[0] == "_speedups" and len(parts) > 1 else parts[0]


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def nodes_of(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(text_of(path)))


def definitions(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Iterate over the functions and classes in a node, in any depth; an expression has none."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield child
        if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield from definitions(child)


def imported(path: Path) -> Iterator[str]:
    """Iterate over the modules that a source file imports or cimports, with dots."""
    text = text_of(path)
    if path.suffix in CYTHON:
        for match in CYTHON_IMPORT.finditer(text):
            yield from ([match[1]] if match[1] else re.split(r"\s*,\s*", match[2]))
        return
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_module":
            yield from (each.value for each in node.args if isinstance(each, ast.Constant))


# A rule is one test, and its faults are a list that names each file: a test per file and rule takes longer to begin
# than to run.


def faulty_imports(path: Path) -> Iterator[str]:
    package = package_of(path)
    for name in imported(path):
        first, *rest = name.split(".")
        if first == "atlas" and rest and rest != ["__version__"] and package != "__init__":
            other = package_named(rest)
            if other != package and other not in LAYERS[package]:
                yield f"{short(path)}: {package} may not import {name}"
        allowed = LIBRARIES.get(first)
        if allowed is not None and not path.relative_to(ATLAS).as_posix().startswith(allowed):
            yield f"{short(path)}: {first} is for {', '.join(allowed)}"


def test_a_module_imports_only_what_the_tables_allow() -> None:
    assert [fault for path in sources(*PYTHON, *CYTHON) for fault in faulty_imports(path)] == []


def test_a_package_does_not_use_the_words_of_higher_layers() -> None:
    faults = [
        f"{short(path)}: {found}"
        for path in sources(*PYTHON, *CYTHON)
        for found in forbidden_words(text_of(path), FORBIDDEN_WORDS.get(package_of(path), ()))
    ]
    assert faults == []


def forbidden_words(text: str, words: tuple[str, ...]) -> list[str]:
    """The forbidden words of a text, with their line numbers."""
    if not words:
        return []
    pattern = re.compile(rf"\b(?:{'|'.join(words)})s?\b", re.IGNORECASE)
    lines = enumerate(text.splitlines(), 1)
    return [f"line {number}: {match[0]}" for number, line in lines for match in pattern.finditer(line)]


def test_a_higher_layer_is_never_imported() -> None:
    order = list(LAYERS)
    for package, allowed in LAYERS.items():
        assert all(order.index(other) < order.index(package) for other in allowed), package


def test_every_package_has_a_row() -> None:
    packages = {package_of(path) for path in sources(*PYTHON, *CYTHON)} - {"__init__", "_speedups/__init__"}
    assert packages == set(LAYERS)


@pytest.mark.parametrize(
    "text",
    [
        "from atlas.web.routing.route cimport Route",
        "  cimport atlas.web.routing.route",
        "import a, atlas.web",
        "from atlas.web.routing.route import Route",
    ],
)
def test_cimports_are_seen(text: str, tmp_path: Path) -> None:
    (tmp_path / "module.pyx").write_text(text)
    assert any(name.startswith("atlas.web") for name in imported(tmp_path / "module.pyx"))


def test_imports_anywhere_are_seen(tmp_path: Path) -> None:
    text = "if TYPE_CHECKING:\n    import a\ndef f():\n    from b import c\n    import_module('d')\n"
    (tmp_path / "module.py").write_text(text)
    assert set(imported(tmp_path / "module.py")) == {"a", "b.c", "d"}


def test_words_are_found_in_code_and_comments() -> None:
    text = "# The Routes of\nroute_table = scope_template\nx = router.find(a)\n"
    assert forbidden_words(text, ("route", "router", "template")) == ["line 1: Routes", "line 3: router"]


# -------------------------------------------------------------------------------------------- no circles in atlas.web


def web_imports() -> dict[str, set[str]]:
    """Which module of atlas.web imports which: at the top, inside functions, and for typing."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in (ATLAS / "web").rglob("*.py")}
    graph: dict[str, set[str]] = {name: set() for name in modules}
    for name, path in modules.items():
        for other in imported(path):
            # "from atlas.web.a import b" imports the module a.b, or the name b of the module a.
            module = next((each for each in (other, other.rpartition(".")[0]) if each in modules), name)
            graph[name] |= {module} - {name}
    return graph


def find_circle(graph: dict[str, set[str]]) -> list[str]:
    """One circle, as a list that begins and ends with the same node; empty if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_circle_of_modules_in_web() -> None:
    assert find_circle(web_imports()) == []


def test_no_circle_of_packages_in_web() -> None:
    packages: dict[str, set[str]] = {}
    for name, others in web_imports().items():
        package = name.split(".")[2]
        packages.setdefault(package, set()).update({other.split(".")[2] for other in others} - {package})
    assert find_circle(packages) == []


def test_a_circle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}
    circle = find_circle(graph)
    assert set(circle) == {"b", "c"}
    assert all(first in graph[second] or second in graph[first] for first, second in pairwise(circle))


# --------------------------------------------------------------------------------------------------------- budgets

MAX_FILE = 500  # lines
MAX_FUNCTION = 60
MAX_MEDIAN_FUNCTION = 12

CYTHON_FUNCTION = re.compile(r"^(\s*)(?:async\s+def|def|cdef|cpdef)\b[^=]*\(.*", re.ASCII)


@cache
def all_sources() -> list[Path]:
    folders = ("atlas", "tests", "bench", "examples")
    return sorted(
        path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in (*PYTHON, *CYTHON)
    )


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Iterate over the functions of a file with their numbers of lines."""
    if path.suffix in CYTHON:
        yield from cython_functions(text_of(path).splitlines())
        return
    for node in definitions(ast.parse(text_of(path))):
        if not isinstance(node, ast.ClassDef) and node.end_lineno:
            yield f"{node.name} (line {node.lineno})", node.end_lineno - node.lineno + 1


def cython_functions(lines: list[str]) -> Iterator[tuple[str, int]]:
    """The same by indentation: a function ends before the next line that is not indented deeper than its ``def``."""
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


def test_a_file_is_short() -> None:
    lengths = [(short(path), len(text_of(path).splitlines())) for path in all_sources()]
    assert [f"{name} has {lines} lines" for name, lines in lengths if lines > MAX_FILE] == []


def test_a_function_is_short() -> None:
    lengths = [(short(path), name, lines) for path in all_sources() for name, lines in functions(path)]
    assert [f"{path}: {name}: {lines} lines" for path, name, lines in lengths if lines > MAX_FUNCTION] == []


def test_most_functions_are_very_short() -> None:
    lengths = [lines for path in sources(".py", ".pyx") for _, lines in functions(path)]
    assert statistics.median(lengths) <= MAX_MEDIAN_FUNCTION


def test_cython_functions_are_measured() -> None:
    text = (
        "cdef class A:\n    cdef int size\n\n    cdef int grow(\n        self,\n    ) except -1:\n"
        "        self.size += 1\n\n        return 0\n\ndef one(): pass\ncpdef two():\n    pass\n"
    )
    assert [lines for _, lines in cython_functions(text.splitlines())] == [6, 2]


# ------------------------------------------------------------------------------------------------- names and tests

VAGUE_NAMES = re.compile(r"(utils?|helpers?|common|core|base|misc|stuff)")


def modules() -> list[Path]:
    return [path for path in sources(".py", ".pyx") if not path.stem.startswith("__")]


def has_code(path: Path) -> bool:
    """Whether a module has a function or a class, and not only constants or types."""
    if path.suffix == ".pyx":
        return True
    return any(True for _ in definitions(ast.parse(text_of(path))))


def test_every_module_has_its_test_file() -> None:
    expected = [
        ROOT / "tests" / path.relative_to(ATLAS).parent / f"test_{path.stem}.py" for path in modules() if has_code(path)
    ]
    assert [short(path) for path in expected if not path.is_file()] == []


def test_a_module_has_a_specific_name() -> None:
    """A name says what a module, or a package, contains."""
    names = {part for path in all_sources() for part in (path, path.parent)}
    assert sorted(short(path) for path in names if VAGUE_NAMES.fullmatch(path.stem)) == []


MACHINE_PATH = re.compile(r"(?<![\w.~$}/])/(?:home|root|Users|work|tmp)/\w")
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")


def published_texts() -> list[Path]:
    texts = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        ROOT / "Makefile",
        ROOT / "pyproject.toml",
        ROOT / "setup.py",
    ]
    return sorted([*sources(*PYTHON, *CYTHON), *(path for path in texts if path.is_file())])


def test_no_paths_of_a_machine_and_no_unfinished_work() -> None:
    assert [
        f"{short(path)}, line {number}: {found[0]}"
        for path in published_texts()
        for number, line in enumerate(text_of(path).splitlines(), 1)
        for found in [*MACHINE_PATH.finditer(line), *UNFINISHED.finditer(line)]
    ] == []


# ---------------------------------------------------------------------------------------------------- import atlas


def test_importing_atlas_loads_nothing_heavy() -> None:
    heavy = ["atlas.server", "atlas.web", "atlas._speedups", "asyncio", "jinja2", "click", "uvloop", "msgspec"]
    heavy += ["opentelemetry", "redis", "sqlalchemy"]
    code = f"import sys, atlas; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_the_version_is_the_same_in_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert atlas.__version__ == project["version"]
