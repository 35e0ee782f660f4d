"""The configuration of an application: settings with lower-case names and defaults.

Settings come from ``Application(config=...)``, from the module that ``ATLAS_CONFIG`` names, and from ``ATLAS_<NAME>``
in the environment; a later source takes precedence. An unknown name stops the start.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from atlas.errors import StartupError
from atlas.web.call_site import caller_place

__all__ = ["Config"]

_TRUTH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
_LOG_LEVELS = ("critical", "error", "warning", "info", "debug")
_SYNC_MODES = ("auto", "inline", "greenlet", "thread")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of an application.

    :param debug: show tracebacks on error pages, and reload changed templates; False by default.
    :param secret_key: the key that signs sessions and tokens. To change it, set a list: the first key signs, and
        signatures of all keys are accepted.
    :param allowed_hosts: the host names that ``TrustedHosts`` accepts.
    :param template_dirs: folders of templates, relative to the file that creates the application. None, the default,
        for its ``templates`` folder, if there is one.
    :param static_dirs: folders of static files, served under ``/static``; the first folder takes precedence.
    :param limit_body: maximum size of a request body in bytes, over which it is answered with 413; 10 MiB by default.
    :param log_level: level of the logger ``atlas.web``: ``debug``, ``info``, ``warning``, ``error`` or ``critical``;
        None, the default, to leave the level as it is.
    :param sync_mode: how ``def`` controllers with ``run="auto"`` run: ``inline``, ``greenlet``, ``thread``, or
        ``auto``, the default, for ``greenlet``; see :class:`atlas.web.routing.route.Route`.
    :param database_url: URL of the database, for ``atlas.sqlalchemy``.
    :raises StartupError: for a value of the wrong type.
    """

    debug: bool = False
    secret_key: str | bytes | tuple[str | bytes, ...] | None = field(default=None, repr=False)
    allowed_hosts: tuple[str, ...] | None = None
    template_dirs: tuple[str, ...] | None = None
    static_dirs: tuple[str, ...] | None = None
    limit_body: int = 10 * 1024 * 1024
    log_level: str | None = None
    sync_mode: str = "auto"
    database_url: str | None = field(default=None, repr=False)

    @classmethod
    def read(
        cls,
        source: Mapping[str, Any] | ModuleType | None,
        *,
        environ: Mapping[str, str] | None = None,
        **overrides: Any,
    ) -> Config:
        """Read the configuration from all sources.

        :param source: a mapping, or a module whose lower-case names are settings; None for defaults.
        :param environ: the environment with ``ATLAS_CONFIG`` and ``ATLAS_<NAME>``; None for the one of the process.
        :param overrides: settings that take precedence over all sources, unless they are None.
        :returns: the configuration.
        :raises StartupError: for an unknown name, a value of the wrong type, or a module that cannot be imported.
        """
        environ = os.environ if environ is None else environ
        values = _named(cls, source, f"{caller_place()}: config")
        if module := environ.get("ATLAS_CONFIG"):
            values |= _named(cls, _import(module), f"ATLAS_CONFIG={module}")
        values |= _from_environment(cls, environ)
        values |= {name: value for name, value in overrides.items() if value is not None}
        frozen: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**frozen)

    def __post_init__(self) -> None:
        values: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        if type(values["debug"]) is not bool:
            raise StartupError(f"config: debug: expected True or False, got {self.debug!r}")
        if type(values["limit_body"]) is not int or self.limit_body < 0:
            raise StartupError(f"config: limit_body: expected a number of bytes, got {self.limit_body!r}")
        for name in ("allowed_hosts", "template_dirs", "static_dirs"):
            _check_sequence(name, values[name])
        if not isinstance(self.secret_key, str | bytes | None):
            _check_sequence("secret_key", values["secret_key"])
        _check_url("database_url", values["database_url"])
        _check_choice("log_level", self.log_level, (*_LOG_LEVELS, None))
        _check_choice("sync_mode", self.sync_mode, _SYNC_MODES)


def _named(cls: type[Config], source: Mapping[str, Any] | ModuleType | None, place: str) -> dict[str, Any]:
    known = [each.name for each in fields(cls)]
    if isinstance(source, ModuleType):
        source = {name: value for name, value in vars(source).items() if _is_value(name, value, known)}
    for name in source or ():
        if name not in known:
            close = get_close_matches(str(name).lower(), known, 1)
            raise StartupError(f"{place}: no setting {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
    return dict(source or {})


def _is_value(name: str, value: object, known: list[str]) -> bool:
    """Return whether a name of a module is a setting, and not an import, a function, a constant or a private name.

    A constant with the name of a setting is one too, so that it is refused.
    """
    return (
        (name.islower() or name.lower() in known)
        and not name.startswith("_")
        and not isinstance(value, ModuleType)
        and not callable(value)
    )


def _import(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:  # as with "python -m": the module is beside the program
        sys.path.insert(0, here)
    try:
        return import_module(name)
    except ImportError as error:
        raise StartupError(f"ATLAS_CONFIG={name}: {error}") from None


# Those of the template engine, which works without an application.
_OTHER_VARIABLES = ("ATLAS_TEMPLATES", "ATLAS_TEMPLATE_CACHE")


def _from_environment(cls: type[Config], environ: Mapping[str, str]) -> dict[str, Any]:
    """Read ``ATLAS_<NAME>``. Other programs may use the prefix too, so only a name close to a setting is an error."""
    known = {f"ATLAS_{each.name.upper()}": each.name for each in fields(cls)}
    values = {}
    for variable, text in environ.items():
        if variable in known:
            values[known[variable]] = _parse(known[variable], variable, text)
        elif close := _close_settings(variable, known):
            raise StartupError(f"{variable}: no such setting; did you mean {close[0]}?")
    return values


def _close_settings(variable: str, known: Iterable[str]) -> list[str]:
    if not variable.startswith("ATLAS_") or variable.startswith("ATLAS_SERVE_") or variable in _OTHER_VARIABLES:
        return []
    return get_close_matches(variable, known, 1, cutoff=0.85)


def _parse(name: str, variable: str, text: str) -> Any:
    if name == "debug":
        if text.lower() not in _TRUTH:
            raise StartupError(f"{variable}: expected true or false, got {text!r}")
        return _TRUTH[text.lower()]
    if name == "limit_body":
        if not (text.isascii() and text.isdigit()):
            raise StartupError(f"{variable}: expected a number of bytes, got {text!r}")
        return int(text)
    if name == "database_url":
        return text
    if name == "secret_key":
        return _parse_list(variable, text) if text.startswith("[") else text
    if name in ("allowed_hosts", "template_dirs", "static_dirs"):
        return _parse_list(variable, text)
    return text.lower()


def _parse_list(variable: str, text: str) -> tuple[str, ...]:
    """Parse ``a, b`` or, for elements with commas, ``["a", "b"]``."""
    if not text.startswith("["):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    try:
        return tuple(json.loads(text))
    except ValueError:
        raise StartupError(f'{variable}: expected a list such as a,b or ["a", "b"], got {text!r}') from None


def _check_sequence(name: str, value: Any) -> None:
    if value is None or (
        isinstance(value, tuple) and all(isinstance(each, str | bytes | os.PathLike) for each in value)
    ):
        return
    # The message does not contain the secret.
    shown = "" if name == "secret_key" else f", such as [{value!r}]" if isinstance(value, str) else f", got {value!r}"
    raise StartupError(f"config: {name}: expected a sequence of strings{shown}")


def _check_url(name: str, value: Any) -> None:
    """Check that a setting is a URL. It may contain a password, so the message does not contain it."""
    if value is not None and not (isinstance(value, str) and "://" in value):
        raise StartupError(f"config: {name}: expected a URL such as sqlite+aiosqlite:///app.db")


def _check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    if value not in choices:
        raise StartupError(f"config: {name}: expected one of {', '.join(str(each) for each in choices)}, got {value!r}")
