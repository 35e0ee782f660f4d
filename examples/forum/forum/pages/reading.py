"""Pages that show posts: the front page, a board, a thread, and the stream of new posts in a thread."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator

from atlas import AsyncRequest, EventSourceResponse, NotFound, Request, Response, ServerSentEvent, redirect, render

from forum.forms import PostDraft
from forum.paging import Page, Window
from forum.store import boards, threads
from forum.store.boards import Board
from forum.store.database import ask
from forum.store.threads import ORDERS, Post, Thread

THREADS_ON_A_PAGE = 12
POSTS_ON_A_PAGE = 15


async def home(request: AsyncRequest) -> Response:
    """Show all boards, and the threads of all boards."""
    every, page, order = await ask(request, _front, Window.of(request, THREADS_ON_A_PAGE), _order(request))
    context = {"boards": every, "page": page.or_not_found(), "order": order, "orders_known": ORDERS}
    return render(request, "home.html", context)


def _front(db: sqlite3.Connection, window: Window, order: str) -> tuple[list[Board], Page, str]:
    """Load all data of a page in one call: one switch to a thread and back, and one snapshot of the database."""
    return boards.every(db), threads.page(db, window, order=order), order


async def board(request: AsyncRequest, slug: str) -> Response:
    """Show one board."""
    found, page = await ask(request, _board, slug, Window.of(request, THREADS_ON_A_PAGE), _order(request))
    context = {"board": found, "page": page.or_not_found(), "order": _order(request), "orders_known": ORDERS}
    return render(request, "board.html", context)


def _board(db: sqlite3.Connection, slug: str, window: Window, order: str) -> tuple[Board, Page]:
    board = boards.find(db, slug)
    if board is None:
        raise NotFound(f"There is no board “{slug}”.")
    return board, threads.page(db, window, order=order, board=board.number)


def _order(request: AsyncRequest) -> str:
    order = request.query.get("order", "active")
    return order if order in ORDERS else "active"


async def thread(request: AsyncRequest, number: int) -> Response:
    """Show a thread. The view is counted after the response."""
    found, page = await ask(request, load_thread, number, Window.of(request, POSTS_ON_A_PAGE))
    if page.number == 1:
        request.app.state.views.count(request.app, number)
    return show_thread(request, found, page.or_not_found(), PostDraft())


def load_thread(db: sqlite3.Connection, number: int, window: Window | None) -> tuple[Thread, Page]:
    """Return a thread with a page of its posts, the last page by default.

    :raises NotFound: if there is no such thread.
    """
    found = threads.find(db, number)
    if found is None:
        raise NotFound(f"There is no thread {number}, or it was deleted.")
    return found, threads.page_of_posts(db, found, window or Window(last_page(found.posts), POSTS_ON_A_PAGE))


def last_page(posts: int) -> int:
    """Return the number of the last page for this number of posts."""
    return Page([], Window(1, POSTS_ON_A_PAGE), posts).last


def show_thread(request: AsyncRequest, found: Thread, page: Page, draft: PostDraft) -> Response:
    """Render the page of a thread, with the draft of a reply."""
    context = {"thread": found, "page": page, "draft": draft, "live": page.number == page.last}
    return render(request, "thread.html", context, status_code=422 if draft.errors else 200)


async def post(request: AsyncRequest, number: int) -> Response:
    """Redirect to the page of the thread that has the post."""
    place = await ask(request, threads.place_of, number)
    if place is None:
        raise NotFound(f"There is no post {number}, or it was deleted.")
    address = request.url_for("thread", number=place.thread, page=last_page(place.posts_until))
    return redirect(f"{address}#post-{number}")


async def follow(request: AsyncRequest, number: int) -> Response:
    """Stream the new posts of a thread, for ``new EventSource(...)``.

    A reconnecting browser sends the number of the last post it has, and gets the later ones first.
    """
    await ask(request, load_thread, number, None)
    last = request.headers.get("last-event-id") or request.query.get("after", "0")
    return EventSourceResponse(_new_posts(request, number, int(last) if re.fullmatch("[0-9]{1,15}", last) else 0))


async def _new_posts(request: AsyncRequest, number: int, last: int) -> AsyncIterator[ServerSentEvent]:
    with request.app.state.subscriptions.subscribe(number) as posted:
        while True:
            posted.clear()
            for post in await ask(request, threads.posts_after, number, last):
                last = post.number
                yield ServerSentEvent(event="post", id=str(last), data=_markup(request, post))
            await posted.wait()


def _markup(request: AsyncRequest, post: Post) -> str:
    """Render one post: the block of that name."""
    return request.app.templates.render(request, "thread.html", {"post": post}, block="post").strip()


def about(request: Request) -> Response:
    """Describe the site. The controller is a ``def``: it does not call the database."""
    return render(request, "about.html")
