"""Whether coverage, if it measures this process, sees the lines of sync code."""

from __future__ import annotations

import os
import sys
from typing import Any

__all__ = ["coverage_advice"]

_NEEDED = ("greenlet", "thread")


def coverage_advice() -> str | None:
    """Return what to set for coverage, if it loses the lines of ``def`` controllers after their first wait.

    They run in greenlets. Coverage has to know that, unless it measures by ``sys.monitoring``. The setting cannot be
    changed while it measures.

    :returns: None if coverage does not measure, or has the setting.
    """
    module: Any = sys.modules.get("coverage")
    current = module.Coverage.current() if module is not None and hasattr(module, "Coverage") else None
    if current is None or _uses_monitoring(current):
        return None
    concurrency = current.get_option("run:concurrency") or ()
    if set(_NEEDED) <= set(concurrency):
        return None
    return (
        "coverage does not see the lines of def controllers after their first wait: set "
        'concurrency = ["greenlet", "thread"] in [tool.coverage.run] of pyproject.toml'
    )


def _uses_monitoring(current: Any) -> bool:
    """Return whether coverage measures by ``sys.monitoring``, the default of Python 3.14, which sees every greenlet."""
    try:
        core = os.environ.get("COVERAGE_CORE") or current.get_option("run:core")
    except Exception:  # an older coverage, without that option
        return False
    return core == "sysmon" or (core is None and sys.version_info >= (3, 14))
