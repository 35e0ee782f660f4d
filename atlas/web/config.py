"""The application's configuration: lower-case values, each with a default.

They come from the code (``Application(config=...)``), over these from the module that ``ATLAS_CONFIG`` names, over
these from ``ATLAS_<NAME>`` in the environment. A name that nobody knows stops the start.
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

__all__ = ["Config"]

_TRUTH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
_LOG_LEVELS = ("critical", "error", "warning", "info", "debug")
_SYNC_MODES = ("auto", "inline", "greenlet", "thread")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What an application can be told.

    :param debug: show tracebacks on error pages, look for changed templates.
    :param secret_key: what sessions and tokens are signed with; a list to change it: the first one signs, all are
        accepted.
    :param allowed_hosts: the names that the ``host`` field may have, for ``TrustedHosts``.
    :param template_dirs: folders of templates, relative to the file that made the application. None means its
        ``templates`` folder, if there is one.
    :param static_dirs: folders of static files, served under ``/static``; of two files of one name the first one.
    :param limit_body: bytes that a request body may have before it is answered with 413.
    :param log_level: of the logger ``atlas.web``; None leaves it alone.
    :param sync_mode: how ``def`` controllers run whose route doesn't say; see :class:`atlas.web.routing.Route`.
    :param database_url: where the database is, for ``atlas.sqlalchemy``.
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
        """A configuration from a mapping or from the lower-case names of a module, and from the environment.

        :param environ: ``ATLAS_CONFIG`` and ``ATLAS_<NAME>``; None for the process's own.
        :param overrides: values that win, where they are not None.
        :raises StartupError: for an unknown name or a value of the wrong type.
        """
        environ = os.environ if environ is None else environ
        values = _named(cls, source, "config")
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
    if isinstance(source, ModuleType):
        source = {name: value for name, value in vars(source).items() if _is_value(name, value)}
    known = [each.name for each in fields(cls)]
    for name in source or ():
        if name not in known:
            close = get_close_matches(name, known, 1)
            raise StartupError(f"{place}: no setting {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
    return dict(source or {})


def _is_value(name: str, value: object) -> bool:
    """Whether a name of a module is a setting, and not something that it imported or defined for itself."""
    return name.islower() and not name.startswith("_") and not isinstance(value, ModuleType) and not callable(value)


def _import(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:  # as "python -m" has it: the module lies beside the program
        sys.path.insert(0, here)
    try:
        return import_module(name)
    except ImportError as error:
        raise StartupError(f"ATLAS_CONFIG={name}: {error}") from None


def _from_environment(cls: type[Config], environ: Mapping[str, str]) -> dict[str, Any]:
    """What ``ATLAS_<NAME>`` says. Others may have variables of that kind too, so only a slip of the pen is an error."""
    known = {f"ATLAS_{each.name.upper()}": each.name for each in fields(cls)}
    values = {}
    for variable, text in environ.items():
        if variable in known:
            values[known[variable]] = _parse(known[variable], variable, text)
        elif close := _close_settings(variable, known):
            raise StartupError(f"{variable}: no such setting; did you mean {close[0]}?")
    return values


def _close_settings(variable: str, known: Iterable[str]) -> list[str]:
    if not variable.startswith("ATLAS_") or variable.startswith("ATLAS_SERVE_"):
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
    """``a, b`` or, for what has commas in it, ``["a", "b"]``."""
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
    # What was meant to be secret is not repeated.
    shown = "" if name == "secret_key" else f", such as [{value!r}]" if isinstance(value, str) else f", got {value!r}"
    raise StartupError(f"config: {name}: expected a sequence of strings{shown}")


def _check_url(name: str, value: Any) -> None:
    """Whether it looks like a URL. It may have a password in it, so it is not repeated."""
    if value is not None and not (isinstance(value, str) and "://" in value):
        raise StartupError(f"config: {name}: expected a URL such as sqlite+aiosqlite:///app.db")


def _check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    if value not in choices:
        raise StartupError(f"config: {name}: expected one of {', '.join(str(each) for each in choices)}, got {value!r}")
