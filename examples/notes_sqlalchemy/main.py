"""Notes: a page and a JSON API in ``def`` controllers. Serve it by ``atlas serve`` in this folder."""

from __future__ import annotations

import secrets
from typing import Any

import notes
from msgspec import ValidationError, convert
from notes import Draft, Model, db

from atlas import CSRF, Application, Include, Request, Response, Route, Static, redirect, render


def home(request: Request) -> Response:
    return page(request)


def page(request: Request, status_code: int = 200, **context: Any) -> Response:
    words, tag = request.query.get("q", ""), request.query.get("tag", "")
    context |= {"notes": notes.find(words, tag), "tags": notes.popular_tags(), "words": words, "tag": tag}
    return render(request, "home.html", context, status_code=status_code)


def write(request: Request) -> Response:
    form = request.form()
    given = {"title": form.get("title", "").strip(), "text": form.get("text", "").strip()}
    tags = form.get("tags", "").lower().replace(",", " ").split()
    try:
        draft = convert({**given, "tags": tags}, Draft)
    except ValidationError as error:
        return page(request, 422, draft={**given, "tags": " ".join(tags)}, problem=str(error))
    note = notes.write(draft)
    return redirect(f"{request.url_for('home')}#note-{note.id}", status_code=303)


def forget(request: Request, number: int) -> Response:
    db.session.delete(notes.get(number))
    return redirect(request.url_for("home"), status_code=303)


def api_list(request: Request) -> dict[str, Any]:
    found = notes.find(request.query.get("q", ""), request.query.get("tag", ""))
    return {"notes": [note.as_json() for note in found]}


def api_show(request: Request, number: int) -> dict[str, Any]:
    return notes.get(number).as_json()


def api_write(request: Request) -> tuple[dict[str, Any], int, dict[str, str]]:
    note = notes.write(request.json(Draft))
    return note.as_json(), 201, {"location": request.url_for("api_show", number=note.id)}


def api_forget(request: Request, number: int) -> None:
    db.session.delete(notes.get(number))


def make_app(database_url: str = "sqlite+aiosqlite:///notes.db") -> Application:
    """Return the application. ``ATLAS_DATABASE_URL`` takes precedence over the argument."""
    api = [
        Route("/notes", api_list),
        Route("/notes", api_write, methods=["POST"]),
        Route("/notes/{number:int}", api_show),
        Route("/notes/{number:int}", api_forget, methods=["DELETE"]),
    ]
    app = Application(
        [
            Route("/", home),
            Route("/notes", write, methods=["POST"]),
            Route("/notes/{number:int}/forget", forget, methods=["POST"]),
            Include("/api", api),
            Static("/static", "static"),
        ],
        middleware=[CSRF(exempt=["/api/*"]), db],
        config={"database_url": database_url, "secret_key": secrets.token_hex()},
    )
    app.on_startup(lambda: db.create_all(Model.metadata))
    return app


app = make_app()
