"""Pages that create and change posts, for members only (see ``application.py``)."""

from __future__ import annotations

import sqlite3

from atlas import AsyncRequest, Controller, Forbidden, NotFound, Response, redirect, render

from forum.forms import PostDraft, ThreadDraft
from forum.pages.reading import last_page, load_thread, show_thread
from forum.store import boards, threads
from forum.store.database import ask
from forum.store.threads import Post


async def new_thread(request: AsyncRequest) -> Response:
    """Show the empty form; ``?board=`` selects a board."""
    return await _form(request, ThreadDraft(board=request.query.get("board", "")))


async def start_thread(request: AsyncRequest) -> Response:
    """Create a thread. A valid form is answered with a redirect, so that a reload does not send it again."""
    draft = ThreadDraft.read(await request.form())
    number = await ask(request, _start, draft, request.user.number) if not draft.errors else None
    if number is None:
        return await _form(request, draft)
    request.session.flash("Your thread is open. New answers appear here.", "success")
    return redirect(request.url_for("thread", number=number), 303)


def _start(db: sqlite3.Connection, draft: ThreadDraft, author: int) -> int | None:
    board = boards.find(db, draft.board)
    if board is None:
        draft.errors["board"] = "There is no such board; please choose one of these."
        return None
    return threads.start(db, board.number, author, draft.title, draft.text)


async def _form(request: AsyncRequest, draft: ThreadDraft) -> Response:
    context = {"draft": draft, "boards": await ask(request, boards.every)}
    return render(request, "new_thread.html", context, status_code=422 if draft.errors else 200)


class EditPost(Controller):
    """The form that changes a post of the member. A class has the controllers of one path."""

    async def get(self, request: AsyncRequest, number: int) -> Response:
        """Show the form with the current text."""
        post = await self._own(request, number)
        return self._form(request, post, PostDraft(post.text))

    async def post(self, request: AsyncRequest, number: int) -> Response:
        """Change the post, and redirect to it."""
        post = await self._own(request, number)
        draft = PostDraft.read(await request.form())
        if draft.errors:
            return self._form(request, post, draft)
        await ask(request, threads.change, number, draft.text)
        request.session.flash("Changed.", "success")
        return redirect(request.url_for("post", number=number), 303)

    async def _own(self, request: AsyncRequest, number: int) -> Post:
        post = await ask(request, threads.find_post, number)
        if post is None:
            raise NotFound(f"There is no post {number}, or it was deleted.")
        if post.author != request.user:
            raise Forbidden("Only the author of a post can change it.")
        return post

    def _form(self, request: AsyncRequest, post: Post, draft: PostDraft) -> Response:
        context = {"post": post, "draft": draft}
        return render(request, "edit_post.html", context, status_code=422 if draft.errors else 200)


async def reply(request: AsyncRequest, number: int) -> Response:
    """Create a post, and notify the open streams of the thread."""
    draft = PostDraft.read(await request.form())
    if draft.errors:
        found, page = await ask(request, load_thread, number, None)
        return show_thread(request, found, page, draft)
    post, posts = await ask(request, _reply, number, request.user.number, draft.text)
    request.app.state.subscriptions.notify(number)
    return redirect(f"{request.url_for('thread', number=number, page=last_page(posts))}#post-{post}", 303)


def _reply(db: sqlite3.Connection, thread: int, author: int, text: str) -> tuple[int, int]:
    found = threads.find(db, thread)
    if found is None:
        raise NotFound(f"There is no thread {thread}, or it was deleted.")
    return threads.reply(db, thread, author, text), found.posts + 1
