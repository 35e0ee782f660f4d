"""The settings of the forum."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

BESIDE_THE_APP = Path(__file__).parents[1] / "var"


@dataclass(frozen=True)
class Settings:
    """The settings of a forum.

    :param folder: the folder of database, pictures and key; it is created if it does not exist.
    :param with_content: whether a new forum has example members and threads.
    """

    folder: Path = BESIDE_THE_APP
    with_content: bool = True

    @classmethod
    def from_environment(cls) -> Settings:
        """Return settings with the folder of ``FORUM_FOLDER``, by default ``var`` beside the application."""
        return cls(Path(os.environ.get("FORUM_FOLDER", BESIDE_THE_APP)).absolute())

    @property
    def database(self) -> Path:
        return self.folder / "forum.sqlite"

    @property
    def pictures(self) -> Path:
        """The folder of pictures; it is created if it does not exist."""
        pictures = self.folder / "pictures"
        pictures.mkdir(parents=True, exist_ok=True)
        return pictures

    def secret_key(self) -> str:
        """Return the key that signs cookies. It is created at the first start, readable by the owner only."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "secret_key"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text(encoding="ascii")
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key := secrets.token_urlsafe(48))
        return key
