"""Search."""

from __future__ import annotations

import sqlite3

from atlas import AsyncRequest, Response, render

from forum.paging import Page, Window
from forum.store import boards, search
from forum.store.boards import Board
from forum.store.database import ask

FOUND_ON_A_PAGE = 10


async def find(request: AsyncRequest) -> Response:
    """Search. The script that searches during input gets the block with the results only."""
    words, board = request.query.get("q", "").strip(), request.query.get("board", "")
    page, every = await ask(request, _find, words, board, Window.of(request, FOUND_ON_A_PAGE))
    context = {"words": words, "board": board, "boards": every, "page": page.or_not_found()}
    response = render(request, "search.html", context, block="results" if _is_script(request) else None)
    response.vary("x-part")  # the response depends on this field: caches need to know
    return response


def _find(db: sqlite3.Connection, words: str, board: str, window: Window) -> tuple[Page, list[Board]]:
    return search.find(db, words, board, window), boards.every(db)


def _is_script(request: AsyncRequest) -> bool:
    return request.headers.get("x-part") == "results"
