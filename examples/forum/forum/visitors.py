"""The middleware that sets ``request.user``, and the one that requires a login."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from atlas import AsyncRequest, Response, redirect

from forum.store import people, sessions
from forum.store.database import ask


class Visitors:
    """Middleware: sets ``request.user`` to the logged-in member, if there is one.

    Files and the JSON API do not depend on the user. Without access to the session their responses may be cached.
    """

    async def before(self, request: AsyncRequest) -> None:
        if request.route is not None and request.route.name.startswith(("static", "picture", "api:")):
            return
        number = request.session.get("person")
        if number is not None:
            request.user = await ask(request, people.find, number)


async def members_only(request: AsyncRequest, call_next: Callable[[AsyncRequest], Awaitable[Response]]) -> Response:
    """Middleware for routes of members: redirects other users to the login, and back afterwards."""
    if request.user is not None:
        return await call_next(request)
    request.session.flash("Please log in for that.")
    back = request.path if request.method == "GET" else request.url_for("home")
    return redirect(request.url_for("login", next=back), 303)


def log_in(request: AsyncRequest, number: int) -> None:
    """Log in as this member.

    The session gets a new ID: an ID that an attacker knows becomes invalid (session fixation).
    """
    request.session.rotate()
    request.session["person"] = number
    request.app.background(request.app.state.database.call, sessions.sweep)


def local(address: str, otherwise: str) -> str:
    """Return ``address`` if it is a path of this site, else ``otherwise``. It comes from a query string."""
    parts = urlsplit(address.replace("\\", "/"))
    is_ours = address.startswith("/") and not parts.scheme and not parts.netloc and address.isprintable()
    return address if is_ours else otherwise
