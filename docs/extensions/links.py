"""Links out of the documentation: a page may point at another file of the repository, which the built site has not.

Where the repository is read such a link works; in the site it becomes the bare words.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

__all__ = ["on_page_markdown"]

_LINK = re.compile(r"\[([^\[\]]+)\]\(((?:\.\./)+[^()#\s]*)(?:#[^()\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """A hook of mkdocs."""
    folder = posixpath.dirname(page.file.src_uri)

    def bare(link: re.Match[str]) -> str:
        leaves = posixpath.normpath(posixpath.join(folder, link[2])).startswith("..")
        return link[1] if leaves else link[0]

    return _LINK.sub(bare, markdown)
