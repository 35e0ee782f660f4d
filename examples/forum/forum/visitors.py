"""Who is asking: found out once for each request, before any controller."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from atlas import AsyncRequest, Response, redirect

from forum.store import people, sessions
from forum.store.database import ask


class Visitors:
    """Middleware: sets ``request.user`` to the member who is logged in, if there is one.

    Files and the JSON API are the same for everybody. Not to look at the session for them lets caches keep them.
    """

    async def before(self, request: AsyncRequest) -> None:
        if request.route is not None and request.route.name.startswith(("static", "picture", "api:")):
            return
        number = request.session.get("person")
        if number is not None:
            request.user = await ask(request, people.find, number)


async def members_only(request: AsyncRequest, call_next: Callable[[AsyncRequest], Awaitable[Response]]) -> Response:
    """Middleware for routes that only members may use: everybody else is sent to the login, and back afterwards."""
    if request.user is not None:
        return await call_next(request)
    request.session.flash("Please log in for that.")
    back = request.path if request.method == "GET" else request.url_for("home")
    return redirect(request.url_for("login", next=back), 303)


def log_in(request: AsyncRequest, number: int) -> None:
    """From now on the visitor is this member.

    The session goes by another name from here on, so that one that somebody else knew before is worth nothing.
    """
    request.session.rotate()
    request.session["person"] = number
    request.app.background(request.app.state.database.call, sessions.sweep)


def local(address: str, otherwise: str) -> str:
    """An address to go on to, if it is one of ours: it came with a link that anybody may have made."""
    parts = urlsplit(address.replace("\\", "/"))
    is_ours = address.startswith("/") and not parts.scheme and not parts.netloc and address.isprintable()
    return address if is_ours else otherwise
