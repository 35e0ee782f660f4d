"""``--log-config``: a file that configures :mod:`logging`, read as uvicorn reads it.

``.json``, ``.yaml``, ``.yml`` and ``.toml`` hold a dictionary for :func:`logging.config.dictConfig`; any other file is
an ini file for :func:`logging.config.fileConfig`, which does not disable existing loggers.
"""

from __future__ import annotations

import json
import logging
import logging.config
import tomllib
from configparser import ConfigParser
from configparser import Error as IniError
from pathlib import Path
from typing import Any

from atlas.errors import StartupError

__all__ = ["apply"]

_logger = logging.getLogger("atlas.server")


def apply(path: str) -> None:
    """Configure :mod:`logging` by a file.

    :param path: the file.
    :raises StartupError: if it cannot be read, or is wrong; the message is one line.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        configuration = _parse(text, Path(path).suffix)
        if isinstance(configuration, dict):
            logging.config.dictConfig(configuration)
            names = configuration.get("loggers", {})
        else:
            logging.config.fileConfig(configuration, disable_existing_loggers=False)
            names = _logger_names(configuration)
    except Exception as error:  # the classes, filters and streams of the file may raise anything
        raise StartupError(f"--log-config {path}: {_reason(error)}") from None
    if any(name.split(".")[0] == "uvicorn" for name in names) and not any(name.startswith("atlas") for name in names):
        _logger.warning(
            "--log-config %s: it names loggers of uvicorn: those of Atlas are atlas, atlas.server and atlas.access",
            path,
        )


def _parse(text: str, suffix: str) -> Any:
    match suffix.lower():
        case ".json":
            return _table(json.loads(text))
        case ".toml":
            return _table(tomllib.loads(text))
        case ".yaml" | ".yml":
            return _table(_yaml(text))
    parser = ConfigParser(interpolation=None)
    parser.read_string(text)
    for section in ("formatters", "handlers", "loggers"):
        if not parser.has_section(section):
            raise ValueError(f"expected a section [{section}], or the suffix .json, .yaml, .yml or .toml")
    return parser


def _yaml(text: str) -> Any:
    try:
        import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own
    except ImportError:
        raise ValueError("needs PyYAML, which is not installed (pip install pyyaml)") from None
    return yaml.safe_load(text)


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"expected a dictionary as for logging.config.dictConfig(), got {value!r}")
    return value


def _logger_names(parser: ConfigParser) -> list[str]:
    sections = [f"logger_{key.strip()}" for key in parser.get("loggers", "keys", fallback="").split(",")]
    return [parser.get(section, "qualname", fallback="") for section in sections]


def _reason(error: BaseException) -> str:
    """Return what is wrong in one line. The errors of :mod:`logging.config` have their reasons as causes."""
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {error.strerror}" if error.filename is None else f"{error.filename}: {error.strerror}"
    text = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) and error.args else str(error)
    if isinstance(error, IniError | json.JSONDecodeError | tomllib.TOMLDecodeError):
        text = f"cannot be parsed: {text}"
    if error.__cause__ is not None and str(error.__cause__) not in text:
        text = f"{text}: {_reason(error.__cause__)}"
    return " ".join((text or type(error).__name__).split())
