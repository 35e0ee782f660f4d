from pathlib import Path

import pytest

from atlas import Application


@pytest.fixture
def site(tmp_path: Path) -> Application:
    """An application without routes, and an empty folder of templates."""
    return Application(config={"template_dirs": [str(tmp_path)]})
