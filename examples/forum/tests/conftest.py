"""What every test of the forum begins with: a forum of its own, and somebody who visits it.

``client`` comes from Atlas's pytest plugin: it asks the fixture ``app``, starts it up, and shuts it down at the end.
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
    """To hash a password takes its time on purpose. Tests have no use for that."""
    monkeypatch.setattr(passwords, "COST", 2**4)


@pytest.fixture
def app(tmp_path: Path) -> Application:
    """A forum as it is at its first start, in a folder that goes with the test."""
    return make_forum(Settings(tmp_path))


@pytest.fixture
def visitor(client: TestClient) -> Visitor:
    """Somebody who is not logged in."""
    return Visitor(client)


@pytest.fixture
def member(visitor: Visitor) -> Visitor:
    """Somebody who has just registered as "newcomer"."""
    visitor.register()
    return visitor
