"""The configuration of the server: one frozen dataclass that everything reads.

The fields below are the only list there is. The command line, the environment and ``[tool.atlas]`` are made from them
(:mod:`atlas.server.sources`), help texts included, and ``Settings(...)`` checks what it is given.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from atlas.server.kinds import AccessFormat, Choice, Headers, Kind, Path, Seconds, Size, Switch, Text, Whole

__all__ = ["LOG_LEVELS", "Setting", "Settings", "close_match", "table"]

LOG_LEVELS = ("trace", "debug", "info", "warning", "error", "critical")


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of one field beside its name: how to check it and how to speak of it."""

    kind: Kind
    group: str
    help: str
    unset: str | None
    """What None stands for, in words; None itself: the setting always has a value."""
    shown_default: str | None
    """The default in words, where the plain value reads badly."""
    flag: str | None
    """The flag's name where it isn't the field's."""

    def check(self, value: Any) -> Any:
        """``value`` as the field holds it; TypeError or ValueError, without the field's name, if it can't."""
        if value is None and self.unset is not None:
            return None
        return self.kind.check(value)


def setting(
    group: str,
    kind: Kind,
    default: Any,
    help: str,  # noqa: A002 - click and argparse call it so too
    *,
    unset: str | None = None,
    shown: str | None = None,
    flag: str | None = None,
) -> Any:
    """A dataclass field of :class:`Settings`."""
    about = Setting(kind, group, help, unset, shown, flag)
    return dataclasses.field(default=default, metadata={"setting": about})


class _Named(type):
    """Turns an unknown name into an error that helps; a dataclass would only say that it is unexpected."""

    if not TYPE_CHECKING:  # a checker would take its Any for what Settings(...) makes, and check no argument

        def __call__(cls, **values):
            names = table()
            for name in values:
                if name not in names:
                    raise TypeError(f"unknown setting {name!r}{close_match(name, names)}")
            return super().__call__(**values)


LISTEN, APPLICATION, LOGS, RESPONSES = "Where it listens", "The application", "Logs", "Responses"
LIMITS, TIMEOUTS = "Limits", "Time-outs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(metaclass=_Named):
    """Everything that can be set about a server.

    :raises TypeError: for an unknown name (with the close one) and for a value of the wrong type.
    :raises ValueError: for a value that the setting can't hold. Both name the setting, what was expected and what came.
    """

    host: str = setting(LISTEN, Text(), "127.0.0.1", "Address or name to listen on; 0.0.0.0 is every IPv4 interface.")
    port: int = setting(LISTEN, Whole(0, 65535), 8000, "TCP port; 0 picks a free one and says which.")
    uds: str | None = setting(LISTEN, Path(), None, "Unix domain socket to listen on instead.", unset="none")
    fd: int | None = setting(LISTEN, Whole(0), None, "Descriptor of a socket that already listens.", unset="none")
    backlog: int = setting(LISTEN, Whole(1), 2048, "Connections that may wait to be accepted.")

    app_dir: str = setting(APPLICATION, Path(), "", "Folder to look for the module in.", shown="the current one")
    factory: bool = setting(APPLICATION, Switch(), False, "The target is a function that returns the application.")
    dev: bool = setting(
        APPLICATION, Switch(), False, "For development: debug pages, and a line that names what holds the event loop."
    )
    env_file: str | None = setting(APPLICATION, Path(), None, "File of KEY=VALUE lines to add first.", unset="none")
    interface: Literal["auto", "asgi", "lasgi"] = setting(
        APPLICATION, Choice(("auto", "asgi", "lasgi")), "auto", "How the application is called; lasgi is a plain def."
    )
    lifespan: Literal["auto", "on", "off"] = setting(
        APPLICATION, Choice(("auto", "on", "off")), "auto", "Start-up and shutdown events; 'on' insists on them."
    )
    root_path: str = setting(
        APPLICATION, Text("/"), "", "Path under which a proxy mounts the application.", shown="none"
    )
    loop: Literal["auto", "uvloop", "asyncio"] = setting(
        APPLICATION, Choice(("auto", "uvloop", "asyncio")), "auto", "Event loop; auto is uvloop where there is one."
    )

    log_level: Literal["trace", "debug", "info", "warning", "error", "critical"] = setting(
        LOGS, Choice(LOG_LEVELS), "info", "What is worth a line."
    )
    access_log: bool = setting(LOGS, Switch(), True, "One line per response, on standard output.")
    access_log_format: str | None = setting(
        LOGS,
        AccessFormat(),
        None,
        "A line of gunicorn's atoms, as '%(h)s %(r)s %(s)s', or 'json'.",
        unset="uvicorn's look",
    )
    use_colors: bool | None = setting(LOGS, Switch(), None, "Colours in log lines.", unset="on a terminal")

    headers: tuple[tuple[str, str], ...] = setting(
        RESPONSES, Headers(), (), "Header field to add to every response; may be repeated.", shown="none", flag="header"
    )
    server_header: bool = setting(RESPONSES, Switch(), True, "Send 'server: atlas'.")
    date_header: bool = setting(RESPONSES, Switch(), True, "Send 'date'.")

    limit_concurrency: int | None = setting(
        LIMITS, Whole(1), None, "Requests in work at once; more get 503.", unset="no limit"
    )
    limit_connections: int | None = setting(
        LIMITS, Whole(1), None, "Open connections; more wait to be accepted.", unset="below the descriptor limit"
    )
    limit_max_requests: int | None = setting(LIMITS, Whole(1), None, "Requests before it stops.", unset="no limit")
    limit_request_line: int = setting(LIMITS, Size(64), 8192, "Longest request line, else 414.", shown="8K")
    limit_request_head: int = setting(LIMITS, Size(256), 65536, "Largest request head, else 431.", shown="64K")
    limit_request_fields: int = setting(LIMITS, Whole(1), 128, "Most header fields of a request, else 431.")
    limit_request_field: int = setting(LIMITS, Size(64), 16384, "Longest header field, else 431.", shown="16K")
    limit_request_body: int = setting(
        LIMITS, Size(0), 104857600, "Largest request body, else 413; 0 is no limit.", shown="100M"
    )

    timeout_request_head: float = setting(TIMEOUTS, Seconds(), 30.0, "For a whole request head, else 408.")
    timeout_request_body: float = setting(TIMEOUTS, Seconds(), 60.0, "Between two pieces of a body that is read.")
    timeout_write: float = setting(TIMEOUTS, Seconds(), 60.0, "For a client that takes nothing of its response.")
    timeout_keep_alive: float = setting(TIMEOUTS, Seconds(zero=True), 75.0, "For an idle connection.")
    timeout_graceful_shutdown: float = setting(
        TIMEOUTS, Seconds(zero=True), 30.0, "For requests in work when it is told to stop."
    )

    def __post_init__(self) -> None:
        for name, about in table().items():
            try:
                value = about.check(getattr(self, name))
            except (TypeError, ValueError) as error:
                raise type(error)(f"{name}: {error}") from None
            object.__setattr__(self, name, value)
        if self.uds is not None and self.fd is not None:
            raise ValueError("uds and fd: expected one of them, got both")


_TABLE = {field.name: field.metadata["setting"] for field in dataclasses.fields(Settings)}


def table() -> dict[str, Setting]:
    """What is known of each field of :class:`Settings`, in their order."""
    return _TABLE


def close_match(name: str, known: Iterable[str]) -> str:
    """``": did you mean 'port'?"`` if one of the ``known`` names is close to ``name``, else ``""``."""
    from difflib import get_close_matches  # only a mistake pays for it

    near = get_close_matches(name, list(known), n=1)
    return f": did you mean {near[0]!r}?" if near else ""
