"""Which driver a database URL names, and whether it can wait without blocking the event loop."""

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
    """The URL, if its driver is an async one.

    :raises ValueError: if it is no URL, or names a driver that is unknown or would block; without its password.
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
    """How the same database is reached without blocking, where that is known."""
    backend = _scheme(url).partition("+")[0]
    driver = _DRIVERS.get(backend)
    return f": write {backend}+{driver}://... (pip install {driver})" if driver is not None else ""
