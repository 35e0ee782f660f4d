"""The build of the compiled modules; all other metadata is in pyproject.toml.

Every ``.pyx`` below ``atlas/_speedups`` becomes an extension, so a new module needs no change here. Two
environment variables change the build: ``ATLAS_DEBUG_BUILD=1`` enables all checks, and ``ATLAS_SKIP_BUILD=1`` builds no
extensions, for the editable install of the Makefile after ``build_ext --inplace``.
"""

import os
import shlex
import shutil
import sys
import sysconfig
from pathlib import Path

if sys.version_info < (3, 11):
    sys.exit(
        f"Atlas needs Python 3.11 or newer, and this is {sys.version.split()[0]}: "
        "install one, as by: apt-get install python3.12 python3.12-dev python3.12-venv"
    )

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

DEBUG = os.environ.get("ATLAS_DEBUG_BUILD") == "1"
SKIP = os.environ.get("ATLAS_SKIP_BUILD") == "1"
WINDOWS = sys.platform == "win32"

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": DEBUG,
    "initializedcheck": DEBUG,
    "nonecheck": True,  # a connection may be closed at any time: that has to be an exception, not a crash
    "cdivision": not DEBUG,
}
COMPILE_ARGS = [] if WINDOWS else ["-O0", "-g"] if DEBUG else ["-O3", "-g0"]


def extensions() -> list[Extension]:
    return [
        Extension(".".join(path.with_suffix("").parts), [path.as_posix()], extra_compile_args=COMPILE_ARGS)
        for path in sorted(Path("atlas/_speedups").rglob("*.pyx"))
    ]


def missing_tool() -> str | None:
    """Return one line about a missing compiler or header and how to install it; None if nothing is missing."""
    if WINDOWS:
        return None  # setuptools looks for Visual C++, and has an error message of its own
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
    """Runs Cython right before the compiler, so that an sdist needs neither of them."""

    def run(self) -> None:
        if problem := missing_tool():
            sys.exit(problem)
        from Cython.Build import cythonize

        # Separate folders for debug and release, so that a change of the variable translates all modules again.
        folder = "build/debug" if DEBUG else "build/release"
        translated = cythonize(list(self.extensions), build_dir=folder, compiler_directives=DIRECTIVES)
        for extension, done in zip(self.extensions, translated, strict=True):
            extension.sources = done.sources
        super().run()


setup(
    ext_modules=[] if SKIP else extensions(),
    cmdclass={"build_ext": BuildCompiled},
    options={"build_ext": {"parallel": os.cpu_count()}},
)
