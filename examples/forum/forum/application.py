"""The application: routes, middleware, lifespan."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from atlas import (
    CSRF,
    Application,
    Compress,
    ConditionalGet,
    HTTPException,
    Include,
    RateLimit,
    RequestID,
    Route,
    SecurityHeaders,
    Sessions,
    Static,
    in_thread,
)

from forum import api, prose
from forum.avatars import hill
from forum.live import Subscriptions
from forum.pages import account, errors, members, reading, searching, writing
from forum.seeding import fill
from forum.settings import Settings
from forum.store.database import Database, create_tables
from forum.store.sessions import SessionStore
from forum.views import Views
from forum.visitors import Visitors, members_only


def make_forum(settings: Settings) -> Application:
    """Return a forum. It shares nothing with other forums in the same process."""
    database = Database(settings.database)
    app = Application(
        [*routes(), Static("/pictures", settings.pictures, name="picture")],
        middleware=[
            SecurityHeaders(),
            RequestID(),
            Compress(),
            Sessions(store=SessionStore(database)),
            Visitors(),
            CSRF(store="session", exempt=["/api/*"]),
        ],
        exception_handlers={HTTPException: errors.refusal, OverflowError: errors.too_far, Exception: errors.failure},
        lifespan=life,
        config={"secret_key": settings.secret_key(), "limit_body": 1024 * 1024},
    )
    app.state.update(settings=settings, database=database, subscriptions=Subscriptions(), views=Views(database))
    app.templates.filters.update(prose=prose.prose, mark=prose.mark, ago=prose.ago, iso=prose.iso, hill=hill)
    return app


def routes() -> list[Route | Include]:
    """Return the routes of all pages and of the API."""
    return [
        Route("/", reading.home),
        Route("/boards/{slug:slug}", reading.board),
        Route("/threads/{number:int}", reading.thread),
        Route("/threads/{number:int}/events", reading.follow),
        Route("/posts/{number:int}", reading.post),
        Route("/search", searching.find, name="search"),
        Route("/people/{name:slug}", members.member),
        Route("/about", reading.about),
        Route("/register", account.registration),
        Route("/register", account.register, ["POST"]),
        Route("/login", account.login_form),
        Route("/login", account.login, ["POST"], middleware=[RateLimit("10/minute", name="login")]),
        Route("/logout", account.logout, ["POST"]),
        Include(
            "",
            [
                Route("/threads/new", writing.new_thread),
                Route("/threads", writing.start_thread, ["POST"]),
                Route("/threads/{number:int}/replies", writing.reply, ["POST"]),
                Route("/posts/{number:int}/edit", writing.EditPost, name="edit_post"),
                Route("/account", members.Account, name="account"),
                Route("/account/token", members.new_token, ["POST"]),
            ],
            middleware=[members_only],
        ),
        Include(
            "/api",
            [
                Route("/threads", api.list_threads),
                Route("/threads", api.start_thread, ["POST"]),
                Route("/threads/{number:int}", api.show_thread),
            ],
            name="api",
            middleware=[ConditionalGet()],
        ),
        Static("/static", "static"),
    ]


@asynccontextmanager
async def life(app: Application) -> AsyncIterator[None]:
    """Open the database at startup, and close it at shutdown."""
    database: Database = app.state.database
    await in_thread(begin, database, app.state.settings)
    yield
    database.close()


def begin(database: Database, settings: Settings) -> None:
    """Create the tables, and fill a new forum with example content."""
    if database.call_here(create_tables):
        database.call_here(fill, with_content=settings.with_content)
