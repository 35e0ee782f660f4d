"""Fixtures of the forum's tests: a forum, a visitor, a member.

``client`` is a fixture of Atlas's pytest plugin: a test client for the fixture ``app``, with startup and shutdown.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from atlas import Application, TestClient

from forum import passwords
from forum.application import make_forum
from forum.settings import Settings
from tests.visiting import Visitor


@pytest.fixture(autouse=True)
def _quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fast password hashes."""
    monkeypatch.setattr(passwords, "COST", 2**4)


@pytest.fixture
def app(tmp_path: Path) -> Application:
    """A new forum, in a temporary folder."""
    return make_forum(Settings(tmp_path))


@pytest.fixture
def visitor(client: TestClient) -> Visitor:
    """A visitor that is not logged in."""
    return Visitor(client)


@pytest.fixture
def member(visitor: Visitor) -> Visitor:
    """A visitor that has registered as "newcomer"."""
    visitor.register()
    return visitor
