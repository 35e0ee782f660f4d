"""A visitor of the forum, and functions that parse its pages."""

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
        """Get a page, and follow redirects."""
        return self.client.get(path, follow_redirects=True, **options)

    def send(self, page: str, to: str | None = None, files: Any = None, **fields: str) -> Response:
        """Submit a form of a page, with its CSRF token."""
        fields["csrf_token"] = token_of(self.open(page))
        return self.client.post(to or page, data=fields, files=files)

    def register(self, name: str = "newcomer") -> Response:
        return self.send("/register", name=name, password=PASSWORD)

    def come_back_with(self, session: str) -> None:
        """Replace the session cookie by another one, for example an older one."""
        self.client.cookies.clear()
        self.client.cookies.set("session", session)

    def log_out(self) -> Response:
        return self.send("/", to="/logout")


def token_of(page: Response) -> str:
    """Return the CSRF token of the last form of a page; the first form is that of the logout."""
    return str(re.findall(r'name="csrf_token" value="([^"]+)"', page.text)[-1])


def error_of(page: Response, field: str) -> str:
    """Return the error message of a field, or ""."""
    found = re.search(rf'id="{field}-error">([^<]*)<', page.text)
    return unescape(found[1]) if found else ""


def titles(page: Response) -> list[str]:
    """Return the titles in a list of threads or search results."""
    return [unescape(re.sub(r"<[^>]+>", "", title)) for title in re.findall(r"<h3><a[^>]*>(.*?)</a></h3>", page.text)]
