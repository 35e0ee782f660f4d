"""The settings of the server, in one frozen dataclass.

The fields are the only list of settings. The flags of the command line with their help, the environment variables and
the keys of ``atlas.toml`` are derived from them (:mod:`atlas.server.configuration.load_settings`).
``Settings(...)`` checks values.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from atlas.server.configuration.address_types import BindAddress, BindAddresses, FileMode
from atlas.server.configuration.setting_types import (
    AccessLogFormat,
    Boolean,
    ByteSize,
    Certificates,
    Choice,
    Headers,
    Integer,
    Path,
    Proxies,
    Seconds,
    SettingType,
    Strings,
    Text,
    Words,
)
from atlas.server.configuration.uvicorn_settings import uvicorn_advice

__all__ = ["EXCLUSIVE", "LISTEN", "LOG_LEVELS", "Setting", "Settings", "close_match", "override", "settings_table"]

LOG_LEVELS = ("trace", "debug", "info", "warning", "error", "critical")


@dataclass(frozen=True, slots=True)
class Setting:
    """The type, the help and the flag of one field of :class:`Settings`."""

    type: SettingType
    group: str
    """The heading above it in the help of the command line."""
    help: str
    unset: str | None
    """The meaning of None, for the help; None if the setting cannot be None."""
    shown_default: str | None
    """The text for the default in the help, if it differs from the value."""
    flag: str | None
    """The name of the flag, if it differs from that of the field."""

    def check(self, value: Any) -> Any:
        """Return ``value`` in the form that the field holds.

        :raises TypeError, ValueError: for a wrong value; the message does not name the field.
        """
        if value is None and self.unset is not None:
            return None
        return self.type.check(value)


def setting(
    group: str,
    type: SettingType,  # noqa: A002 - the name of the attribute
    default: Any,
    help: str,  # noqa: A002 - click and argparse call it so too
    *,
    unset: str | None = None,
    shown: str | None = None,
    flag: str | None = None,
) -> Any:
    """Return a dataclass field of :class:`Settings`; the parameters are the attributes of :class:`Setting`."""
    metadata = {"setting": Setting(type, group, help, unset, shown, flag)}
    return dataclasses.field(default=default, metadata=metadata)


class _SuggestingType(type):
    """Raises for an unknown setting with a close match; a dataclass only says that the argument is unexpected."""

    if not TYPE_CHECKING:  # a type checker would not check the arguments of Settings(...) any more

        def __call__(cls, **values):
            names = settings_table()
            for name in values:
                if name not in names:
                    advice = uvicorn_advice(name)
                    raise TypeError(
                        f"the setting {name!r} {advice}"
                        if advice
                        else f"unknown setting {name!r}{close_match(name, names)}"
                    )
            return super().__call__(**values)


EXCLUSIVE = ("uds", "fd", "bind")
"""The settings of which one may be given; ``host`` and ``port`` have no effect then."""

LISTEN, APPLICATION, LOGS, RESPONSES = "Address", "Application", "Logging", "Responses"
METRICS = "Metrics and health"
LIMITS, TIMEOUTS, PROXIES, TLS, RELOAD = "Limits", "Timeouts", "Proxies", "TLS", "Reload"
WEBSOCKETS = "WebSockets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(metaclass=_SuggestingType):
    """The settings of a server. Each keyword is a flag of ``atlas serve``; ``atlas serve --help`` describes them.

    :raises TypeError: for an unknown name (the message suggests a close one) or a value of the wrong type.
    :raises ValueError: for a value that is out of range. Both messages name the setting, what was expected and the
        value.
    """

    host: str = setting(LISTEN, Text(), "127.0.0.1", "Address or host name; 0.0.0.0 means every IPv4 interface.")
    port: int = setting(LISTEN, Integer(0, 65535), 8000, "TCP port; 0 means any free port, which is logged.")
    uds: str | None = setting(LISTEN, Path(), None, "Unix domain socket, instead of host and port.", unset="none")
    uds_mode: str | int = setting(LISTEN, FileMode(), "666", "Permissions of the files of Unix sockets.")
    fd: int | None = setting(LISTEN, Integer(0), None, "File descriptor of a listening socket.", unset="none")
    bind: tuple[str, ...] = setting(
        LISTEN,
        BindAddresses(),
        (),
        "HOST:PORT, [IPv6]:PORT, unix:PATH or fd://NUMBER, instead of all of these; may be repeated.",
        shown="none",
    )
    backlog: int = setting(LISTEN, Integer(1), 2048, "Maximum number of connections in the accept queue.")

    app_dir: str = setting(
        APPLICATION, Path(may_be_empty=True), "", "Directory to import the module from.", shown="current directory"
    )
    factory: bool = setting(APPLICATION, Boolean(), False, "The target is a function that returns the application.")
    dev: bool = setting(
        APPLICATION,
        Boolean(),
        False,
        "Development mode: reload, refreshed pages, debug pages, and warnings about a blocked event loop.",
    )
    workers: int = setting(APPLICATION, Integer(1, 128), 1, "Number of worker processes.")
    preload: bool = setting(
        APPLICATION, Boolean(), False, "Import the application once, before the worker processes are forked."
    )
    workers_lifetime: float | None = setting(
        APPLICATION, Seconds(), None, "Maximum time that a worker serves before it is replaced.", unset="no limit"
    )
    workers_max_rss: int | None = setting(
        APPLICATION,
        ByteSize(1),
        None,
        "Maximum resident size of a worker before it is replaced.",
        unset="no limit",
    )
    env_file: str | None = setting(
        APPLICATION, Path(), None, "File of KEY=VALUE lines with environment variables.", unset="none"
    )
    interface: Literal["auto", "asgi", "lasgi"] = setting(
        APPLICATION,
        Choice(
            ("auto", "asgi", "lasgi"),
            (("asgi3", "asgi"),),
            (
                ("asgi2", "asgiref.compatibility.guarantee_single_callable() converts ASGI 2 to ASGI 3"),
                ("wsgi", "a2wsgi.WSGIMiddleware() converts WSGI to ASGI"),
            ),
        ),
        "auto",
        "Interface of the application: auto, asgi, lasgi (a sync function).",
    )
    lifespan: Literal["auto", "on", "off"] = setting(
        APPLICATION,
        Choice(("auto", "on", "off")),
        "auto",
        "Lifespan events: auto, on (fail if the application has none), off.",
    )
    root_path: str = setting(
        APPLICATION, Text("/"), "", "Path under which a proxy mounts the application.", shown="none"
    )
    loop: Literal["auto", "uvloop", "asyncio"] = setting(
        APPLICATION,
        Choice(("auto", "uvloop", "asyncio"), (("zuvloop", "auto"),)),
        "auto",
        "Event loop: auto (uvloop if it is installed), uvloop, asyncio.",
    )

    reload: bool | None = setting(
        RELOAD, Boolean(), None, "Restart when source files change.", unset="on with --dev, else off"
    )
    reload_dirs: tuple[str, ...] = setting(
        RELOAD,
        Strings(metavar="PATH"),
        (),
        "Directory to watch, with all below it; may be repeated.",
        shown="current directory",
        flag="reload_dir",
    )
    reload_includes: tuple[str, ...] = setting(
        RELOAD,
        Strings(metavar="PATTERN"),
        (),
        "Files to restart for, beside *.py; may be repeated.",
        shown="none",
        flag="reload_include",
    )
    reload_excludes: tuple[str, ...] = setting(
        RELOAD,
        Strings(metavar="PATTERN"),
        (),
        "Files and directories not to restart for, beside .* ~* and the like; may be repeated.",
        shown="none",
        flag="reload_exclude",
    )
    reload_delay: float = setting(
        RELOAD, Seconds(), 0.25, "Time between two looks at the files, if watchfiles is not installed."
    )

    log_level: Literal["trace", "debug", "info", "warning", "error", "critical"] = setting(
        LOGS, Choice(LOG_LEVELS), "info", "Minimum level of log records: " + ", ".join(LOG_LEVELS) + "."
    )
    access_log: bool = setting(LOGS, Boolean(), True, "Log every response to standard output, at level info.")
    access_log_format: str | None = setting(
        LOGS,
        AccessLogFormat(),
        None,
        "Format with gunicorn's atoms, such as '%(h)s %(r)s %(s)s', or 'json'.",
        unset="uvicorn's format",
    )
    use_colors: bool | None = setting(LOGS, Boolean(), None, "Colors in log lines.", unset="on a terminal")
    log_format: Literal["text", "json"] = setting(
        LOGS, Choice(("text", "json")), "text", "Format of log lines, and of the access log by default: text, json."
    )
    log_config: str | None = setting(
        LOGS, Path(), None, "File that configures logging, as uvicorn's: ini, .json, .yaml, .toml.", unset="none"
    )
    log_file: str | None = setting(
        LOGS, Path(), None, "File for log lines; it is opened again on SIGUSR1.", unset="standard error"
    )
    access_log_file: str | None = setting(
        LOGS, Path(), None, "File for the access log; it is opened again on SIGUSR1.", unset="standard output"
    )

    metrics: str | None = setting(
        METRICS,
        BindAddress(),
        None,
        "Address for /metrics (Prometheus), /healthz and /readyz, as for --bind.",
        unset="none",
    )
    shutdown_delay: float = setting(
        METRICS,
        Seconds(allow_zero=True),
        0.0,
        "Time from a signal to stop, when /readyz turns to 503, until no more connections are accepted.",
    )

    headers: tuple[tuple[str, str], ...] = setting(
        RESPONSES, Headers(), (), "Header field to add to every response; may be repeated.", shown="none", flag="header"
    )
    server_header: bool = setting(RESPONSES, Boolean(), True, "Send the header field 'server: atlas'.")
    date_header: bool = setting(RESPONSES, Boolean(), True, "Send the header field 'date'.")
    options_asterisk: bool = setting(
        RESPONSES, Boolean(), True, "Answer 'OPTIONS *' with 204; if not, the application gets it."
    )

    ssl_certfile: str | None = setting(
        TLS,
        Path(),
        None,
        "Certificate (PEM), with those of its issuers behind it: serve https.",
        unset="none: serve http",
    )
    ssl_keyfile: str | None = setting(TLS, Path(), None, "Private key (PEM).", unset="in --ssl-certfile")
    ssl_keyfile_password: str | None = setting(TLS, Text(), None, "Password of an encrypted key.", unset="none")
    ssl_certificates: tuple[tuple[str, str, str | None], ...] = setting(
        TLS,
        Certificates(),
        (),
        "Certificate and key for clients that name this host (SNI); may be repeated.",
        shown="none",
        flag="ssl_certificate",
    )
    ssl_ca_certs: str | None = setting(TLS, Path(), None, "Issuers (PEM) of client certificates.", unset="none")
    ssl_cert_reqs: Literal["none", "optional", "required"] = setting(
        TLS,
        Choice(("none", "optional", "required"), (("0", "none"), ("1", "optional"), ("2", "required"))),
        "none",
        "Client certificates: none, optional, required (uvicorn's 0, 1, 2).",
    )
    ssl_version: Literal["1.2", "1.3"] = setting(
        TLS, Choice(("1.2", "1.3"), (("17", "1.2"),)), "1.2", "Minimum version of TLS: 1.2, 1.3."
    )
    ssl_ciphers: str | None = setting(
        TLS, Text(), None, "Ciphers for TLS 1.2, in OpenSSL's notation.", unset="OpenSSL's default"
    )

    proxy_headers: bool = setting(
        PROXIES, Boolean(), True, "Read client, scheme and host from the header fields of trusted proxies."
    )
    forwarded_allow_ips: tuple[str, ...] = setting(
        PROXIES,
        Proxies(),
        ("127.0.0.0/8", "::1/128", "unix"),
        "Trusted proxies: addresses, networks, 'unix' (every peer of a Unix socket) or '*' (every peer).",
        shown="loopback and unix",
    )
    forwarded_fields: tuple[str, ...] = setting(
        PROXIES,
        Words(("for", "proto", "host", "port", "prefix", "forwarded"), alone="forwarded"),
        ("for", "proto"),
        "Fields that the proxies set: for, proto, host, port, prefix (X-Forwarded-...), or forwarded (RFC 7239).",
        shown="for,proto",
    )

    proxy_protocol: bool = setting(
        PROXIES, Boolean(), False, "Expect the PROXY protocol (1 or 2) from --forwarded-allow-ips, and nothing else."
    )
    ws: Literal["auto", "none"] = setting(
        WEBSOCKETS,
        Choice(("auto", "none"), (("websockets", "auto"), ("websockets-sansio", "auto"), ("wsproto", "auto"))),
        "auto",
        "Serve WebSockets: auto, none (uvicorn's websockets, websockets-sansio and wsproto mean auto).",
    )
    ws_max_size: int = setting(
        WEBSOCKETS,
        ByteSize(0),
        16777216,
        "Maximum size of a message, else close 1009; 0 means no limit.",
        shown="16M",
    )
    ws_max_queue: int = setting(
        WEBSOCKETS, Integer(1), 32, "Maximum number of messages that wait for the application; then reading pauses."
    )
    ws_ping_interval: float | None = setting(
        WEBSOCKETS, Seconds(allow_zero=True), 20.0, "Time between two pings; 0 means no pings.", unset="no pings"
    )
    ws_ping_timeout: float | None = setting(
        WEBSOCKETS,
        Seconds(allow_zero=True),
        20.0,
        "Maximum time until a ping is answered, else close 1011; 0 means no limit.",
        unset="no limit",
    )
    ws_per_message_deflate: bool = setting(
        WEBSOCKETS, Boolean(), True, "Compress messages for clients that offer permessage-deflate."
    )
    ws_deflate_window_bits: int = setting(
        WEBSOCKETS, Integer(9, 15), 12, "Window of the compression, as a power of two: 12 takes 50 KiB per connection."
    )
    ws_deflate_context_takeover: bool = setting(
        WEBSOCKETS, Boolean(), True, "Keep the window from message to message; if not, idle connections take no memory."
    )

    limit_concurrency: int | None = setting(
        LIMITS, Integer(1), None, "Maximum number of concurrent requests, else 503.", unset="no limit"
    )
    limit_connections: int | None = setting(
        LIMITS,
        Integer(1),
        None,
        "Maximum number of open connections; more wait in the accept queue.",
        unset="below the descriptor limit",
    )
    limit_max_requests: int | None = setting(
        LIMITS,
        Integer(1),
        None,
        "Number of requests after which a worker is replaced, or a single process stops.",
        unset="no limit",
    )
    limit_max_requests_jitter: int = setting(
        LIMITS, Integer(0), 0, "Maximum of a random number that each process adds to --limit-max-requests."
    )
    limit_threads: int = setting(
        LIMITS, Integer(1), 40, 'Maximum number of threads for run="thread" and in_thread(); further calls wait.'
    )
    limit_threads_background: int = setting(
        LIMITS, Integer(1), 40, "Maximum number of threads for background functions; further ones wait."
    )
    limit_threads_files: int = setting(
        LIMITS, Integer(1), 40, "Maximum number of threads for files, uploads and sessions; further calls wait."
    )
    limit_request_line: int = setting(
        LIMITS, ByteSize(64), 8192, "Maximum size of a request line, else 414.", shown="8K"
    )
    limit_request_head: int = setting(
        LIMITS, ByteSize(256), 65536, "Maximum size of a request head, else 431.", shown="64K"
    )
    limit_request_fields: int = setting(
        LIMITS, Integer(1), 128, "Maximum number of header fields in a request, else 431."
    )
    limit_request_field: int = setting(
        LIMITS, ByteSize(64), 16384, "Maximum size of a header field, else 431.", shown="16K"
    )
    limit_request_body: int = setting(
        LIMITS, ByteSize(0), 104857600, "Maximum size of a request body, else 413; 0 means no limit.", shown="100M"
    )
    min_request_body_rate: int = setting(
        LIMITS,
        ByteSize(0),
        240,
        "Minimum bytes per second of a request body, on average behind its time-out; 0 means no minimum.",
    )

    timeout_tls_handshake: float = setting(TIMEOUTS, Seconds(), 10.0, "Maximum time of a TLS handshake.")
    timeout_request_head: float = setting(
        TIMEOUTS, Seconds(), 30.0, "Maximum time until a request head is complete, else 408."
    )
    timeout_request_body: float = setting(
        TIMEOUTS, Seconds(), 60.0, "Maximum time without data while the application reads the body."
    )
    timeout_write: float = setting(
        TIMEOUTS, Seconds(), 60.0, "Maximum time that a client may read nothing of its response."
    )
    timeout_keep_alive: float = setting(
        TIMEOUTS, Seconds(allow_zero=True), 75.0, "Maximum time that a connection may be idle."
    )
    timeout_drain: float = setting(
        TIMEOUTS,
        Seconds(allow_zero=True),
        None,
        "Time in which idle connections may send a last request on shutdown.",
        shown="2; 0 with --reload",
    )
    timeout_worker_startup: float = setting(
        TIMEOUTS, Seconds(), 60.0, "Maximum time until a worker process serves, else it is replaced."
    )
    timeout_worker_heartbeat: float = setting(
        TIMEOUTS, Seconds(), 30.0, "Maximum time that the event loop of a worker may stand still, else it is replaced."
    )
    timeout_graceful_shutdown: float = setting(
        TIMEOUTS,
        Seconds(allow_zero=True),
        None,
        "Maximum time for running requests to finish on shutdown.",
        shown="30; 2 with --reload",
    )

    @property
    def reloads(self) -> bool:
        """Whether the server restarts when source files change: ``reload``, which ``dev`` implies."""
        return self.dev if self.reload is None else self.reload

    def __post_init__(self) -> None:
        for name, (default, with_reload) in _DEFAULTS_BY_RELOAD.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, with_reload if self.reloads else default)
        for name, setting in settings_table().items():
            try:
                value = setting.check(getattr(self, name))
            except (TypeError, ValueError) as error:
                raise type(error)(f"{name}: {error}") from None
            object.__setattr__(self, name, value)
        given = [name for name in EXCLUSIVE if getattr(self, name) not in (None, ())]
        if len(given) > 1:
            raise ValueError(f"{given[0]} and {given[1]}: expected one of them, got both")


# The default, and that with --reload, where a restart should be quick.
_DEFAULTS_BY_RELOAD = {"timeout_drain": (2.0, 0.0), "timeout_graceful_shutdown": (30.0, 2.0)}
_TABLE = {field.name: field.metadata["setting"] for field in dataclasses.fields(Settings)}


def settings_table() -> dict[str, Setting]:
    """Return the type, help and flag of each field of :class:`Settings`, in the order of the fields."""
    return _TABLE


def override(settings: Settings | None, overrides: dict[str, Any]) -> Settings:
    """Return ``settings``, or the defaults if None, with other values for some fields.

    :raises TypeError, ValueError: for an unknown or a wrong setting.
    """
    if settings is None:
        return Settings(**overrides)
    if not isinstance(settings, Settings):
        raise TypeError(f"expected settings as a Settings, got {settings!r}")
    if not overrides:
        return settings
    return Settings(**{name: getattr(settings, name) for name in settings_table()} | overrides)


def close_match(name: str, known: Iterable[str]) -> str:
    """Return ``": did you mean 'port'?"`` if one of the ``known`` names is close to ``name``, else ``""``."""
    from difflib import get_close_matches  # imported only for an error message

    near = get_close_matches(name, list(known), n=1)
    return f": did you mean {near[0]!r}?" if near else ""
