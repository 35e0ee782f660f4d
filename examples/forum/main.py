"""The forum. ``atlas serve`` in this folder serves it on http://127.0.0.1:8000."""

from forum.application import make_forum
from forum.settings import Settings

app = make_forum(Settings.from_environment())
