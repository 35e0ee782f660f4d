"""A copy of the package whose compiled modules count their edges, in ``build/fuzz``."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "fuzz"
COUNTERS = 65536


def build(*, sanitize: bool) -> Path:
    """Compile the copy, if something changed; the folder to put in front of ``sys.path``.

    :param sanitize: with AddressSanitizer, which finds reads and writes outside of what was allocated.
    """
    folder = FOLDER / ("sanitized" if sanitize else "plain")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(ROOT / "atlas", folder / "atlas", dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.so", "*.c"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, folder / name)
    flags = "-g -O1 -fsanitize-coverage=trace-pc" + (" -fsanitize=address" if sanitize else "")
    environment = os.environ | {"CFLAGS": flags, "LDFLAGS": flags.split()[-1] if sanitize else ""}
    environment |= {"ATLAS_DEBUG_BUILD": "1", "LD_PRELOAD": ""}
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    subprocess.run(command, cwd=folder, env=environment, check=True)
    compiler = os.environ.get("CC", "cc")
    library = folder / "coverage.so"
    source = Path(__file__).with_name("coverage.c")
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return folder


def sanitizer() -> str | None:
    """The libraries that have to be loaded before anything else, for LD_PRELOAD; None where there are none.

    They are AddressSanitizer and, for atheris throws, the C++ library that it wraps.
    """
    compiler = os.environ.get("CC", "cc")
    paths = []
    for name in ("libasan.so", "libstdc++.so.6"):
        command = [compiler, f"-print-file-name={name}"]
        paths.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())
    return " ".join(paths) if all(Path(path).is_absolute() for path in paths) else None


class Counters:
    """The counters of a copy; made before the copy is imported."""

    def __init__(self, folder: Path) -> None:
        self._library = ctypes.CDLL(str(folder / "coverage.so"), mode=ctypes.RTLD_GLOBAL)
        self._library.atlas_counters.restype = ctypes.POINTER(ctypes.c_uint8 * COUNTERS)
        self.cells = self._library.atlas_counters().contents

    def give_to(self, fuzzer: ctypes.CDLL) -> None:
        """Let libFuzzer, in *fuzzer*, be guided by them."""
        names = ("__sanitizer_cov_8bit_counters_init", "__sanitizer_cov_pcs_init")
        self._library.atlas_register(*(fuzzer[name] for name in names))
