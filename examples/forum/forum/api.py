"""The JSON API. Errors are problem details (RFC 9457).

A program sends a token that the member creates on the account page, and no cookie. A page of another site cannot make a
browser send the token, so these routes need no CSRF protection (see ``application.py``).
"""

from __future__ import annotations

import sqlite3
from typing import Annotated, Any

from atlas import AsyncRequest, JSONResponse, Response, Unauthorized, UnprocessableContent
from msgspec import Meta, Struct

from forum.forms import TEXT_MAX, TEXT_MIN, TITLE_MAX, TITLE_MIN, as_line, as_text
from forum.pages.reading import load_thread
from forum.paging import Page, Window, linked
from forum.store import boards, people, threads
from forum.store.database import ask
from forum.store.people import Person
from forum.store.threads import Post, Thread

THREADS_AT_ONCE, POSTS_AT_ONCE = 50, 100


class NewThread(Struct, forbid_unknown_fields=True):
    """The JSON body of a new thread. Any other body is answered with 422 and the path of each error."""

    board: str
    title: Annotated[str, Meta(min_length=TITLE_MIN, max_length=TITLE_MAX)]
    text: Annotated[str, Meta(min_length=TEXT_MIN, max_length=TEXT_MAX)]


async def list_threads(request: AsyncRequest) -> Response:
    """List the threads, the most recently active first; ``?page=`` selects a page."""
    page = (await ask(request, threads.page, Window.of(request, THREADS_AT_ONCE))).or_not_found()
    address = lambda number: request.url_for("api:list_threads", absolute=True, page=number)  # noqa: E731  # used once, below
    body = {"total": page.total, "threads": [_thread(request, thread) for thread in page.items]}
    return JSONResponse(body, headers=linked(page, address))


async def show_thread(request: AsyncRequest, number: int) -> dict[str, Any]:
    """Return one thread with its posts. A dict is encoded as JSON."""
    found, page = await ask(request, load_thread, number, Window.of(request, POSTS_AT_ONCE))
    return {**_thread(request, found), "posts": [_post(request, post) for post in page.or_not_found().items]}


async def start_thread(request: AsyncRequest) -> Response:
    """Create a thread: 201 with its location."""
    author = await _author(request)
    draft = await request.json(NewThread)
    found, _ = await ask(request, _start, draft, author.number)
    location = {"location": request.url_for("api:show_thread", number=found.number)}
    return JSONResponse(_thread(request, found), 201, location)


def _start(db: sqlite3.Connection, draft: NewThread, author: int) -> tuple[Thread, Page]:
    board = boards.find(db, draft.board)
    if board is None:
        raise UnprocessableContent(f"There is no board {draft.board!r}.")
    number = threads.start(db, board.number, author, as_line(draft.title), as_text(draft.text))
    return load_thread(db, number, None)


async def _author(request: AsyncRequest) -> Person:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    person = await ask(request, people.find_by_token, token) if scheme.lower() == "bearer" else None
    if person is None:
        raise Unauthorized("A token is required: Authorization: Bearer ...", {"www-authenticate": "Bearer"})
    return person


def _thread(request: AsyncRequest, thread: Thread) -> dict[str, Any]:
    return {
        "number": thread.number,
        "title": thread.title,
        "board": thread.board_slug,
        "author": thread.author,
        "started": thread.started,
        "replies": thread.replies,
        "views": thread.views,
        "url": request.url_for("api:show_thread", absolute=True, number=thread.number),
        "page": request.url_for("thread", absolute=True, number=thread.number),
    }


def _post(request: AsyncRequest, post: Post) -> dict[str, Any]:
    page = request.url_for("member", absolute=True, name=post.author.name)
    author = {"name": post.author.name, "page": page}
    return {"number": post.number, "author": author, "written": post.written, "text": post.text}
