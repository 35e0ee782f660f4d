from typing import Any

from markupsafe import Markup

class Format: ...

def escape(value: Any, /) -> str:
    """Return the text of a value for HTML: the same object if it is a str in which nothing has to be escaped."""

def join_text(texts: list[str], /) -> Markup:
    """Return the joined texts as a Markup."""
