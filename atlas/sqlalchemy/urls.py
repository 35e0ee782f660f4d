"""Checks that the driver of a database URL does not block the event loop."""

from __future__ import annotations

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

__all__ = ["checked_url"]

_DRIVERS = {
    "sqlite": "aiosqlite",
    "postgresql": "asyncpg",
    "mysql": "aiomysql",
    "mariadb": "aiomysql",
    "oracle": "oracledb",
    "mssql": "aioodbc",
}


def checked_url(url: str | URL) -> URL:
    """Return the URL, if its driver is async.

    :param url: the URL, as text or object.
    :raises ValueError: if it is not a URL, or its driver is unknown or not async. The message has no password.
    """
    try:
        made = make_url(url)
        dialect = made.get_dialect().get_async_dialect_cls(made)
    except NoSuchModuleError:
        raise ValueError(f"SQLAlchemy knows no driver {_scheme(url)!r}{_advice(url)}") from None
    except ArgumentError:
        raise ValueError("expected a URL such as 'sqlite+aiosqlite:///app.db'") from None
    if not dialect.is_async:
        raise ValueError(f"the driver of {_shown(made)!r} would block the event loop{_advice(url)}")
    return made


def _scheme(url: str | URL) -> str:
    return url.drivername if isinstance(url, URL) else url.partition(":")[0]


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=True)


def _advice(url: str | URL) -> str:
    """Return the name of an async driver for the same database, if one is known, for the error message."""
    backend = _scheme(url).partition("+")[0]
    driver = _DRIVERS.get(backend)
    return f": write {backend}+{driver}://... (pip install {driver})" if driver is not None else ""
