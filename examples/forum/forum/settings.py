"""Where the forum keeps what it has to remember."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

BESIDE_THE_APP = Path(__file__).parents[1] / "var"


@dataclass(frozen=True)
class Settings:
    """How this forum runs.

    :param folder: for database, pictures and key; it is made when it is not there.
    :param with_content: begin a new forum with people and threads, so that there is something to see.
    """

    folder: Path = BESIDE_THE_APP
    with_content: bool = True

    @classmethod
    def from_environment(cls) -> Settings:
        """As ``FORUM_FOLDER`` says, or else beside the application."""
        return cls(Path(os.environ.get("FORUM_FOLDER", BESIDE_THE_APP)).absolute())

    @property
    def database(self) -> Path:
        return self.folder / "forum.sqlite"

    @property
    def pictures(self) -> Path:
        """The folder of pictures, there for sure."""
        pictures = self.folder / "pictures"
        pictures.mkdir(parents=True, exist_ok=True)
        return pictures

    def secret_key(self) -> str:
        """The key that signs cookies: made at the first start, for nobody else to read, and the same from then on."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "secret_key"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text(encoding="ascii")
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key := secrets.token_urlsafe(48))
        return key
