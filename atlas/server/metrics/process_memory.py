"""The memory of a process, from Linux's proc(5)."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

__all__ = ["memory_of"]

_LINE = re.compile(r"^(Rss|Pss): +(\d+) kB$", re.MULTILINE)


def memory_of(pid: int) -> dict[str, int]:
    """Return the bytes of resident memory (``rss``), and its proportional share of shared pages (``pss``).

    :param pid: the process.
    :returns: what is known: nothing where there is no proc(5) or no such process, ``rss`` alone where a process may not
        read more.
    """
    folder = Path("/proc") / str(pid)
    with contextlib.suppress(OSError):
        return {name.lower(): int(size) * 1024 for name, size in _LINE.findall((folder / "smaps_rollup").read_text())}
    try:
        return {"rss": int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")}
    except (OSError, IndexError):
        return {}
