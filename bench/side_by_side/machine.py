"""The machine and the versions of the packages, without which two runs cannot be compared."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

PACKAGES = ("atlas-web", "uvicorn", "uvloop", "httptools", "granian", "h2corn", "gunicorn")


def about(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Python, kernel, processor, cores, and the versions of these packages, as far as they are here."""
    versions = {}
    for name in packages:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    system = {"python": platform.python_version(), "kernel": platform.release(), "processor": _processor()}
    return {**system, "cores": str(os.cpu_count()), **versions}


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
