"""Build the compiled half of Atlas; everything else stands in pyproject.toml.

Every ``.pyx`` below ``atlas/_speedups`` becomes an extension, so a new module needs no change here. Three environment
variables are switches: ``ATLAS_DEBUG_BUILD=1`` keeps every check that the release build leaves out,
``ATLAS_TEST_BUILD=1`` adds the doors for tests (``tests/compiled``) to a build in place, and ``ATLAS_SKIP_BUILD=1``
leaves the extensions to an earlier ``build_ext --inplace`` (the Makefile's editable install).
"""

import os
import shlex
import shutil
import sys
import sysconfig
import threading
import time
from pathlib import Path

if sys.version_info < (3, 11):
    sys.exit(
        f"Atlas needs Python 3.11 or newer, and this is {sys.version.split()[0]}: "
        "install one, as by: apt-get install python3.12 python3.12-dev python3.12-venv"
    )

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.modified import newer_group

DEBUG = os.environ.get("ATLAS_DEBUG_BUILD") == "1"
TEST = os.environ.get("ATLAS_TEST_BUILD") == "1"
SKIP = os.environ.get("ATLAS_SKIP_BUILD") == "1"
WINDOWS = sys.platform == "win32"

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": True,  # of lists, tuples and bytes; pointers have no check, and their loops say why they end
    "wraparound": DEBUG,
    "initializedcheck": True,
    "nonecheck": True,  # a connection can end in the middle of anything: an exception then, never a crash
    "cdivision": not DEBUG,
}
BUILD = "build/debug" if DEBUG else "build/release"
COMPILE_ARGS = [] if WINDOWS else ["-O0", "-g"] if DEBUG else ["-O3", "-g0"]
TEST_COMPILE_ARGS = [] if WINDOWS else ["-O0", "-g"] if DEBUG else ["-O1", "-g0"]  # compiled in half the time


def extensions(folder: str, compile_args: list[str]) -> list[Extension]:
    """The extensions of a folder, the largest first: no core waits at the end for one that began late."""
    return [
        Extension(
            ".".join(path.with_suffix("").parts),
            [path.as_posix()],
            include_dirs=["atlas/_speedups/http", "atlas/_speedups/websocket"],  # awaitables.h, payload.h
            extra_compile_args=compile_args,
        )
        for path in sorted(Path(folder).rglob("*.pyx"), key=lambda path: (-path.stat().st_size, path))
    ]


def missing_tool() -> str | None:
    """Say in one line what to install if this machine cannot compile an extension; None if it can."""
    if WINDOWS:
        return None  # setuptools looks for Visual C++ itself, and says so in its own words
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    if shutil.which(compiler) is None:
        hint = "xcode-select --install" if sys.platform == "darwin" else "apt-get install gcc python3-dev"
        return f"Atlas is compiled, and there is no C compiler ({compiler}) here: install one, as by: {hint}"
    headers = Path(sysconfig.get_path("include"))
    if not (headers / "Python.h").exists():
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-dev"
        return f"Atlas is compiled, and {headers}/Python.h is missing: install it, as by: apt-get install {package}"
    return None


class BuildCompiled(build_ext):
    """Translate what changed, then compile it, with all cores and a line on the progress of both.

    The translation happens when a compilation is due, not before: an sdist needs neither Cython's time nor a compiler.
    """

    def finalize_options(self) -> None:
        if TEST and self.inplace:  # in place only: what is built to be installed never contains a door for tests
            self.distribution.ext_modules += extensions("tests/compiled", TEST_COMPILE_ARGS)
        super().finalize_options()

    def run(self) -> None:
        if problem := missing_tool():
            sys.exit(problem)
        from Cython.Build import cythonize

        translated = cythonize(
            list(self.extensions),
            build_dir=BUILD,
            compiler_directives=DIRECTIVES,
            nthreads=os.cpu_count() or 1,
        )
        for extension, done in zip(self.extensions, translated, strict=True):
            extension.sources, extension.depends = done.sources, done.depends
        self._changed = [each.name for each in self.extensions if self._is_outdated(each)]
        self._compiled, self._counting = 0, threading.Lock()
        super().run()

    def build_extension(self, extension: Extension) -> None:
        outdated, start = extension.name in self._changed, time.monotonic()
        super().build_extension(extension)
        if outdated:
            with self._counting:
                self._compiled += 1
                progress = f"[{self._compiled}/{len(self._changed)}] compiled {extension.name}"
                print(f"{progress} ({time.monotonic() - start:.1f} s)", flush=True)

    def copy_extensions_to_source(self) -> None:
        self.force = True  # a module of the other mode may lie there, and be newer
        super().copy_extensions_to_source()

    def _is_outdated(self, extension: Extension) -> bool:
        product = Path(self.build_lib) / self.get_ext_filename(extension.name)
        return bool(self.force) or newer_group([*extension.sources, *extension.depends], str(product))


# Where processes are spawned, those that translate import this file.
if __name__ == "__main__":
    setup(
        ext_modules=[] if SKIP else extensions("atlas/_speedups", COMPILE_ARGS),
        cmdclass={"build_ext": BuildCompiled},
        # Debug and release builds live apart, so that a change of the switch is never hidden by a newer file.
        options={"build": {"build_base": BUILD}, "build_ext": {"parallel": os.cpu_count()}},
    )
