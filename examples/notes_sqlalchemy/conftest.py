"""One application for all tests; the changes of each test are rolled back."""

from __future__ import annotations

import pytest
from main import make_app
from notes import db

from atlas import Application
from atlas.sqlalchemy import rollback_fixture

rollback = rollback_fixture(db, autouse=True)


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Application:
    return make_app(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('notes') / 'notes.db'}")
