"""Registration, login and logout."""

from __future__ import annotations

from atlas import AsyncRequest, Request, Response, in_thread, redirect, render

from forum.forms import Login, Registration
from forum.passwords import hash_password, is_password
from forum.store import people
from forum.store.database import ask
from forum.visitors import local, log_in


def registration(request: Request) -> Response:
    """Show the empty form."""
    return render(request, "register.html", {"draft": Registration(), "next": _next(request)})


async def register(request: AsyncRequest) -> Response:
    """Register a member and log in."""
    draft = Registration.read(await request.form())
    if not draft.errors:
        password = await in_thread(hash_password, draft.password)
        try:
            number = await ask(request, people.register, draft.name, password)
        except people.NameTaken:
            draft.errors["name"] = "This name is taken."
        else:
            log_in(request, number)
            request.session.flash(f"Welcome, {draft.name}.", "success")
            return redirect(_next(request), 303)
    return render(request, "register.html", {"draft": draft, "next": _next(request)}, status_code=422)


def login_form(request: Request) -> Response:
    """Show the empty form."""
    return render(request, "login.html", {"draft": Login(), "next": _next(request)})


async def login(request: AsyncRequest) -> Response:
    """Log in. The response time does not reveal whether the name exists."""
    draft = Login.read(await request.form())
    number, kept = await ask(request, people.find_password, draft.name) or (0, None)
    if await in_thread(is_password, draft.password, kept):
        log_in(request, number)
        request.session.flash(f"Welcome back, {draft.name}.", "success")
        return redirect(_next(request), 303)
    draft.errors["password"] = "Name and password do not belong together."
    return render(request, "login.html", {"draft": draft, "next": _next(request)}, status_code=422)


def logout(request: Request) -> Response:
    """Delete the session in the database, so that a copy of its cookie is invalid."""
    request.session.clear()
    request.session.flash("You are logged out. Safe travels.")
    return redirect(request.url_for("home"), 303)


def _next(request: Request | AsyncRequest) -> str:
    """Return the path that required the login."""
    return local(request.query.get("next", ""), otherwise=request.url_for("home"))
