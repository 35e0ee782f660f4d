import pytest
from sqlalchemy import URL, make_url

from atlas.sqlalchemy.urls import checked_url


@pytest.mark.parametrize("url", ["sqlite+aiosqlite:///app.db", "sqlite+aiosqlite://"])
def test_an_async_driver_is_taken(url: str) -> None:
    assert checked_url(url) == make_url(url)
    assert checked_url(make_url(url)) == make_url(url)


@pytest.mark.parametrize("backend", ["postgresql+asyncpg", "postgresql+psycopg", "mysql+asyncmy", "mysql+aiomysql"])
def test_others_need_not_be_installed_to_be_known(backend: str) -> None:
    assert checked_url(f"{backend}://db.test/app").drivername == backend


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("sqlite:///app.db", "sqlite+aiosqlite"),
        ("sqlite+pysqlite:///app.db", "sqlite+aiosqlite"),
        ("postgresql+psycopg2://db.test/app", "postgresql+asyncpg"),
        ("mysql+pymysql://db.test/app", "mysql+aiomysql"),
        ("mariadb+mysqldb://db.test/app", "mariadb+aiomysql"),
        ("mssql+pyodbc://db.test/app", "mssql+aioodbc"),
    ],
)
def test_one_that_blocks_is_refused_with_advice(url: str, advice: str) -> None:
    with pytest.raises(ValueError, match="would block the event loop") as caught:
        checked_url(url)
    assert f"write {advice}://" in str(caught.value)


def test_the_password_is_not_repeated() -> None:
    url = URL.create("postgresql+psycopg2", "me", "hush", "db.test", database="app")
    for each in (url, url.render_as_string(hide_password=False)):
        with pytest.raises(ValueError, match="me:") as caught:
            checked_url(each)
        assert "hush" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "app.db", "me:hush@db.test"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ValueError, match="expected a URL such as") as caught:
        checked_url(url)
    assert "hush" not in str(caught.value)


def test_an_unknown_driver() -> None:
    with pytest.raises(ValueError, match=r"no driver 'sqlite\+aiosqlit': write sqlite\+aiosqlite://"):
        checked_url("sqlite+aiosqlit:///app.db")
    with pytest.raises(ValueError, match="no driver 'lakes'$"):
        checked_url("lakes://db.test/app")
