from pathlib import Path

import pytest

from atlas import Config, StartupError
from atlas.web.templates.folders import find_folders


def test_the_folder_beside_the_application(tmp_path: Path) -> None:
    place = f"{tmp_path / 'app.py'}:3"
    assert find_folders(place, Config()) == []
    (tmp_path / "templates").mkdir()
    assert find_folders(place, Config()) == [tmp_path / "templates"]


def test_the_folders_of_the_configuration(tmp_path: Path) -> None:
    place = f"{tmp_path / 'app.py'}:3"
    (tmp_path / "pages").mkdir()
    assert find_folders(place, Config(template_dirs=("pages",))) == [tmp_path / "pages"]
    with pytest.raises(StartupError, match=r"app\.py:3: template folder '.*other' does not exist"):
        find_folders(place, Config(template_dirs=("pages", "other")))
