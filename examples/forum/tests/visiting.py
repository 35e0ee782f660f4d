"""A visitor to ask the forum with, and what can be read off its pages."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from atlas import TestClient
from atlas.testing import Response

PASSWORD = "correct horse battery"
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class Visitor:
    """A user with a browser: opens pages, and submits their forms."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        client.headers.update(BROWSER)

    def open(self, path: str, **options: Any) -> Response:
        """A page, wherever it is in the end."""
        return self.client.get(path, follow_redirects=True, **options)

    def send(self, page: str, to: str | None = None, files: Any = None, **fields: str) -> Response:
        """Fill in a form of a page and send it. The token comes from the page, as with a browser."""
        fields["csrf_token"] = token_of(self.open(page))
        return self.client.post(to or page, data=fields, files=files)

    def register(self, name: str = "newcomer") -> Response:
        return self.send("/register", name=name, password=PASSWORD)

    def come_back_with(self, session: str) -> None:
        """From now on send this cookie: maybe an old one, or somebody else's."""
        self.client.cookies.clear()
        self.client.cookies.set("session", session)

    def log_out(self) -> Response:
        return self.send("/", to="/logout")


def token_of(page: Response) -> str:
    """The token in the last form of a page, which is the page's own; that for the logout stands above it."""
    return str(re.findall(r'name="csrf_token" value="([^"]+)"', page.text)[-1])


def error_of(page: Response, field: str) -> str:
    """What is said to be wrong with a field; nothing if nothing is."""
    found = re.search(rf'id="{field}-error">([^<]*)<', page.text)
    return unescape(found[1]) if found else ""


def titles(page: Response) -> list[str]:
    """The titles in a list of threads, or of posts that were found."""
    return [unescape(re.sub(r"<[^>]+>", "", title)) for title in re.findall(r"<h3><a[^>]*>(.*?)</a></h3>", page.text)]
