"""Generated tests of these rooms are judged by what they find, not by how long a busy machine takes for one example."""

from hypothesis import settings

settings.register_profile("atlas", deadline=None)
settings.load_profile("atlas")
