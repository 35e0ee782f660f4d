"""The public page of a member, and the account page."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from atlas import AsyncRequest, AsyncUpload, Controller, NotFound, Request, Response, in_thread, redirect, render

from forum import pictures
from forum.forms import Profile
from forum.pictures import NotAPicture
from forum.store import people, threads
from forum.store.database import ask
from forum.store.people import Person
from forum.store.threads import Thread


async def member(request: AsyncRequest, name: str) -> Response:
    """Show a member and the threads that the member has started."""
    person, posts, started = await ask(request, _member, name)
    return render(request, "member.html", {"person": person, "posts": posts, "threads": started})


def _member(db: sqlite3.Connection, name: str) -> tuple[Person, int, list[Thread]]:
    person = people.find_by_name(db, name)
    if person is None:
        raise NotFound(f"There is no member “{name}”.")
    return person, threads.count_posts(db, person.number), threads.of_person(db, person.number, most=20)


class Account(Controller):
    """The account of the logged-in member."""

    def get(self, request: Request) -> Response:
        """Show the form with the current values."""
        return self._form(request, Profile(request.user.about))

    async def post(self, request: AsyncRequest) -> Response:
        """Change text and picture. The old picture is deleted after the response."""
        form, files = await request.form(), await request.files()
        draft, picture = Profile.read(form), request.user.picture
        if form.get("remove_picture"):
            picture = None
        elif "picture" in files:
            picture = await self._keep(request, files["picture"], draft)
        if draft.errors:
            return self._form(request, draft)
        unused = await ask(request, people.describe, request.user.number, draft.about, picture)
        if unused is not None:
            request.app.background(self._folder(request).joinpath(unused).unlink, missing_ok=True)
        request.session.flash("Your profile has been changed.", "success")
        return redirect(request.url_for("member", name=request.user.name), 303)

    async def _keep(self, request: AsyncRequest, upload: AsyncUpload, draft: Profile) -> str | None:
        data = await upload.read(pictures.LARGEST + 1)
        try:
            return await in_thread(pictures.keep, self._folder(request), data)
        except NotAPicture as error:
            draft.errors["picture"] = str(error)
            return None

    def _folder(self, request: AsyncRequest) -> Path:
        folder: Path = request.app.state.settings.pictures
        return folder

    def _form(self, request: Request | AsyncRequest, draft: Profile) -> Response:
        return render(request, "account.html", {"draft": draft}, status_code=422 if draft.errors else 200)


async def new_token(request: AsyncRequest) -> Response:
    """Create a token for the JSON API. The page shows it once; the database stores a hash."""
    token = await ask(request, people.give_token, request.user.number)
    return render(request, "account.html", {"draft": Profile(request.user.about), "token": token})
