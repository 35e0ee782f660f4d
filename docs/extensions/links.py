"""Links from pages to other files of the repository, which are not part of the site.

Such a link works in the repository. In the site it is replaced by its text.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

__all__ = ["on_page_markdown"]

_LINK = re.compile(r"\[([^\[\]]+)\]\(((?:\.\./)+[^()#\s]*)(?:#[^()\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Replace links to files outside ``docs``: a hook of mkdocs."""
    folder = posixpath.dirname(page.file.src_uri)

    def bare(link: re.Match[str]) -> str:
        leaves = posixpath.normpath(posixpath.join(folder, link[2])).startswith("..")
        return link[1] if leaves else link[0]

    return _LINK.sub(bare, markdown)
