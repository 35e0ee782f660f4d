"""The settings of uvicorn: those that Atlas has under another name, or does not need; and uvicorn's variables.

A start script may have them as flags or as variables (``UVICORN_PORT``). They are read with a note in the log. Other
sources are written for Atlas: there such a name is an error that says what to use instead.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["IGNORED", "PREFIX", "RENAMED", "SWITCHES", "VALUED_SWITCHES", "uvicorn_advice", "uvicorn_variables"]

PREFIX = "UVICORN_"

RENAMED = {
    "h11_max_incomplete_event_size": "limit_request_head",
    "timeout_worker_healthcheck": "timeout_worker_heartbeat",
}
"""The settings of uvicorn that Atlas has under another name, with that name."""

IGNORED = {
    "http": "Atlas has one HTTP parser",
    "http2": "this version of Atlas speaks HTTP/1.1 only, which every client of HTTP/2 speaks too",
    "reset_contextvars": "each request has a context of its own in Atlas",
}
"""The settings of uvicorn that have no meaning in Atlas, with the reason."""

SWITCHES = frozenset({"http2", "reset_contextvars"})
"""Those of them whose flags have no value."""

VALUED_SWITCHES = frozenset({"--ws-per-message-deflate"})
"""The flags of uvicorn with a value, true or false, that are switches in Atlas."""

_NOT_YET = "is not in this version of Atlas"
_ADVICE: dict[str, str] = {}

_LISTS = {"headers": None, "reload_dirs": os.pathsep, "reload_includes": None, "reload_excludes": None}
# Variables of no prefix, which the ones with a prefix take precedence over.
_PLAIN = {"FORWARDED_ALLOW_IPS": "forwarded_allow_ips", "WEB_CONCURRENCY": "workers"}


def uvicorn_advice(name: str) -> str | None:
    """Return what to say about a setting of uvicorn that Atlas does not have: ``"is --limit-request-head in Atlas"``.

    :param name: the name of the setting, or its flag.
    :returns: None for any other name.
    """
    known = name.lstrip("-").replace("-", "_").lower()
    if known in RENAMED:
        return f"is --{RENAMED[known].replace('_', '-')} in Atlas"
    if known in IGNORED:
        return f"has no effect: {IGNORED[known]}"
    return _ADVICE.get(known) or _ADVICE.get(known.removeprefix("no_"))


def uvicorn_variables(environ: Mapping[str, str]) -> Iterator[tuple[str, str, Any]]:
    """Iterate over the variables of uvicorn: variable, name of the setting in uvicorn, and value.

    A value is the text, or a tuple for a setting that may be repeated.

    :param environ: the environment variables. An empty one counts as not set.
    """
    for variable, name in _PLAIN.items():
        if text := environ.get(variable):
            yield variable, name, text
    for variable, text in environ.items():
        if variable.startswith(PREFIX) and text:
            name = variable.removeprefix(PREFIX).lower()
            yield variable, name, tuple(text.split(_LISTS[name])) if name in _LISTS else text
