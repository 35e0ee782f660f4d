"""Run the tests of the compiled core under AddressSanitizer and UBSan, then with Python's own memory checks.

``python .ci/sanitize.py [pytest arguments]`` copies the tree to ``build/sanitize/tree``, so that the sanitized modules
never mix with the release build, compiles it there with every Cython check, and runs ``tests/wire``,
``tests/_speedups`` and ``tests/gateway`` on it. Then the same tests run on the modules of the working tree with
``-X dev`` and ``PYTHONMALLOC=debug``. The exit status is 1 if a test fails or a sanitizer reports anything. A report
ends the process: those of UBSan are printed at once, those of ASan at the end, and they stay in
``build/sanitize/reports``.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TREE = ROOT / "build/sanitize/tree"
REPORTS = ROOT / "build/sanitize/reports"
SOURCES = (".ci", "atlas", "bench", "examples", "tests", "pyproject.toml", "setup.py", "README.md", "LICENSE")
TESTS = ("tests/wire", "tests/_speedups", "tests/gateway")

# greenlet copies slices of the stack away and back. The shadow of a suspended greenlet's frames stays poisoned
# meanwhile, and ASan would report the frames of the next greenlet by mistake: it watches heap and globals only. Arrays
# on the stack are still covered by UBSan's -fsanitize=bounds.
FLAGS = "-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer --param=asan-stack=0"
# Python frees little at its end, and the leak tests (tests/leaks) count objects themselves.
ASAN = "detect_leaks=0:detect_stack_use_after_return=0:abort_on_error=1:allocator_may_return_null=1"
UBSAN = "print_stacktrace=1:halt_on_error=1:abort_on_error=1"


def main(arguments: list[str]) -> int:
    if shutil.which("gcc") is None or sys.platform != "linux":
        print("Error: make sanitize needs Linux and gcc: install it by: apt-get install gcc libasan8", file=sys.stderr)
        return 2
    copy_tree()
    build()
    print("\n==> AddressSanitizer and UBSan", flush=True)
    sanitized = run_tests(TREE, sanitizer_environment(), arguments)
    found = show_reports()
    print("\n==> -X dev and PYTHONMALLOC=debug", flush=True)
    checked = run_tests(ROOT, {"PYTHONMALLOC": "debug"}, arguments)
    return 1 if sanitized or found or checked else 0


def copy_tree() -> None:
    """Bring the copy up to date: files that changed are copied with their times, files that are gone are removed."""
    wanted = {
        path.relative_to(ROOT)
        for source in SOURCES
        for path in ((ROOT / source).rglob("*") if (ROOT / source).is_dir() else [ROOT / source])
        if path.is_file() and is_source(path)
    }
    for path in TREE.rglob("*"):
        name = path.relative_to(TREE)
        if path.is_file() and is_source(name) and name.parts[0] != "build" and name not in wanted:
            path.unlink()
    for name in wanted:
        source, copy = ROOT / name, TREE / name
        if not copy.exists() or copy.stat().st_mtime_ns != source.stat().st_mtime_ns:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy)


def is_source(path: Path) -> bool:
    return path.suffix not in (".so", ".pyc") and "results" not in path.parts


def build() -> None:
    switches = {"ATLAS_DEBUG_BUILD": "1", "ATLAS_TEST_BUILD": "1", "ATLAS_SKIP_BUILD": ""}
    flags = {"CC": "gcc", "LDSHARED": "gcc -shared", "CFLAGS": FLAGS, "LDFLAGS": "-fsanitize=address,undefined"}
    command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
    subprocess.run(command, cwd=TREE, env={**os.environ, **switches, **flags}, check=True)


def sanitizer_environment() -> dict[str, str]:
    """The environment in which an interpreter that was built without sanitizers loads modules that were."""
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    return {
        # greenlet throws C++ exceptions: the interceptor of ASan needs libstdc++ to be there when it starts.
        "LD_PRELOAD": " ".join(library(name) for name in ("libasan.so", "libstdc++.so")),
        "ASAN_OPTIONS": f"{ASAN}:log_path={REPORTS}/asan",
        "UBSAN_OPTIONS": UBSAN,
        "PYTHONMALLOC": "malloc",  # each object is a block of its own, which ASan watches
    }


def library(name: str) -> str:
    command = ["gcc", f"-print-file-name={name}"]
    path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return str(Path(path).resolve())


def run_tests(tree: Path, environment: dict[str, str], arguments: list[str]) -> int:
    # UBSan writes to the file descriptor 2, which pytest would capture, and lose when the process ends.
    options = ["-q", "--capture=sys", "-p", "no:cacheprovider"]
    command = [sys.executable, "-X", "dev", "-m", "pytest", *options, *TESTS, *arguments]
    more = {"PYTHONPATH": str(tree), "PYTHONFAULTHANDLER": "1", **environment}
    return subprocess.run(command, cwd=tree, env={**os.environ, **more}).returncode


def show_reports() -> bool:
    """Print what the sanitizers reported; whether they did."""
    reports = sorted(path for path in REPORTS.iterdir() if path.stat().st_size)
    for report in reports:
        print(f"\n{report.relative_to(ROOT)}\n{report.read_text(errors='replace')}")
    return bool(reports)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
