"""The folders of templates."""

from __future__ import annotations

from pathlib import Path

from atlas.errors import StartupError
from atlas.web.config import Config

__all__ = ["find_folders"]


def find_folders(place: str, config: Config) -> list[Path]:
    """Return the template folders: those of the configuration, or ``templates`` in the folder of the application.

    :param place: file and line where the application was made.
    :param config: its configuration.
    :raises StartupError: for a folder of the configuration that does not exist.
    """
    app_folder = Path(place.rpartition(":")[0]).parent
    if config.template_dirs is None:
        return [folder for folder in [app_folder / "templates"] if folder.is_dir()]
    folders = [app_folder / folder for folder in config.template_dirs]
    for folder in folders:
        if not folder.is_dir():
            raise StartupError(f"{place}: template folder {str(folder)!r} does not exist")
    return folders
