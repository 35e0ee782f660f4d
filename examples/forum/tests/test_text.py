"""Functions without pages of their own: markup, times, paging, passwords, the database, settings."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from atlas import StartupError

from forum.paging import Page, Window
from forum.passwords import hash_password, is_password
from forum.prose import ago, prose
from forum.settings import Settings
from forum.store import boards
from forum.store.database import Database, create_tables


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("One.\nTwo.\r\n\r\nThree.", "<p>One.<br>\nTwo.</p>\n<p>Three.</p>"),
        ("> said\n> so\n\nYes.", "<blockquote><p>said<br>\nso</p></blockquote>\n<p>Yes.</p>"),
        ("*so* and `<b>*x*</b>`", "<p><em>so</em> and <code>&lt;b&gt;*x*&lt;/b&gt;</code></p>"),
        ("2 * 3 * 4 *", "<p>2 <em> 3 </em> 4 *</p>"),
        ("<script>alert('x')</script>", "<p>&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;</p>"),
        (
            'At https://a.test/?b&c="d".',
            '<p>At <a href="https://a.test/?b&amp;c=" rel="nofollow ugc noopener">https://a.test/?b&amp;c=</a>&#34;d&#34;.</p>',
        ),
        ("javascript:alert(1)", "<p>javascript:alert(1)</p>"),
        ("", ""),
    ],
)
def test_prose(text: str, markup: str) -> None:
    assert prose(text) == markup


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (5, "just now"),
        (60, "1 minute ago"),
        (3599, "59 minutes ago"),
        (7200, "2 hours ago"),
        (6 * 86400, "6 days ago"),
        (15 * 86400, "2 weeks ago"),
        (45 * 86400, "1 month ago"),
        (400 * 86400, "27 November 1968"),
    ],
)
def test_ago(seconds: int, words: str) -> None:
    assert ago(-seconds, now=0) == words


def test_pages() -> None:
    assert [*Page([], Window(1, 10), 0).numbers()] == [1]
    assert [*Page([], Window(5, 10), 95).numbers()] == [1, None, 4, 5, 6, None, 10]
    assert [*Page([], Window(2, 10), 30).numbers()] == [1, 2, 3]


def test_passwords() -> None:
    kept = hash_password("correct horse")
    assert kept.startswith("scrypt$")
    assert "horse" not in kept
    assert is_password("correct horse", kept)
    assert not is_password("correct horses", kept)
    assert not is_password("", "")
    assert hash_password("correct horse") != kept


def test_tables_of_another_version_are_a_startup_error(tmp_path: Path) -> None:
    database = Database(tmp_path / "forum.sqlite")
    assert database.call_here(create_tables), "a new file"
    assert not database.call_here(create_tables), "an existing file"
    database.call_here(lambda db: db.execute("PRAGMA user_version = 99"))
    with pytest.raises(StartupError, match="version 99 of the forum, and this is version 1"):
        database.call_here(create_tables)


def test_an_exception_rolls_back(tmp_path: Path) -> None:
    def fail(db: sqlite3.Connection) -> None:
        boards.insert(db, "attic", "Attic", "Dust.")
        raise ValueError("second thoughts")

    database = Database(tmp_path / "forum.sqlite")
    database.call_here(create_tables)
    with pytest.raises(ValueError, match="second thoughts"):
        database.call_here(fail)
    assert database.call_here(boards.every) == []


def test_the_key_is_created_once_and_readable_by_the_owner_only(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "new")
    key = settings.secret_key()
    assert len(key) >= 48
    assert Settings(tmp_path / "new").secret_key() == key
    assert (tmp_path / "new" / "secret_key").stat().st_mode & 0o077 == 0
