"""The example site: an atlas of nine lakes. ``make serve`` shows it; ``atlas serve main:app`` does so from here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import cache
from typing import Any

from drawing import draw, sections, tint_stops
from lakes import BY_SLUG, LAKES, MARKS, Lake
from logbook import Draft, first_pages

from atlas import (
    Application,
    AsyncRequest,
    HTTPException,
    NotFound,
    ProblemResponse,
    Request,
    Response,
    Route,
    Static,
    StreamingResponse,
    redirect,
    render,
)

ORDERS = {
    "depth": ("Depth", lambda lake: -lake.depth),
    "area": ("Area", lambda lake: -lake.area),
    "altitude": ("Altitude", lambda lake: -lake.altitude),
    "name": ("Name", lambda lake: lake.name),
}
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
SECTIONS, STOPS = sections(LAKES), tint_stops(LAKES)
NUMBERS = {lake.slug: number for number, lake in zip(ROMAN, LAKES, strict=True)}


@cache
def chart(slug: str, full: bool = False, wide: bool = False) -> str:
    """The chart of a lake, as markup. Lakes change slowly: each is drawn once."""
    lake = BY_SLUG[slug]
    macros: Any = app.templates.environment.get_template("chart.html").module
    markup: str = macros.chart(lake, draw(lake), full, wide)
    return markup


def page(request: Request | AsyncRequest, name: str, status_code: int = 200, **context: Any) -> Response:
    """A page of the atlas: every one of them may show every lake."""
    return render(request, name, {"chart": chart, "numbers": NUMBERS, **context}, status_code=status_code)


def home(request: Request) -> Response:
    entries = request.app.state.logbook.read()[:3]
    return page(request, "home.html", lakes=LAKES, sections=SECTIONS, tints=STOPS, entries=entries)


def lake_list(request: Request) -> Response:
    order = request.query.get("by", "depth")
    if order not in ORDERS:
        order = "depth"
    return page(request, "lakes.html", lakes=sorted(LAKES, key=ORDERS[order][1]), orders=ORDERS, order=order)


def find(slug: str) -> Lake:
    if slug not in BY_SLUG:
        raise NotFound(f"There is no lake “{slug}” in this atlas.")
    return BY_SLUG[slug]


def lake_page(request: Request, slug: str) -> Response:
    lake = find(slug)
    place = LAKES.index(lake)
    return page(
        request,
        "lake.html",
        lake=lake,
        entries=request.app.state.logbook.read(lake),
        before=LAKES[place - 1],
        after=LAKES[(place + 1) % len(LAKES)],
    )


def plate(request: Request, number: int) -> Response:
    """A lake by the number of its plate, as on the spine of a book."""
    if not 1 <= number <= len(LAKES):
        raise NotFound(f"This atlas has plates 1 to {len(LAKES)}.")
    return redirect(request.url_for("lake", slug=LAKES[number - 1].slug))


def show_logbook(request: Request) -> Response:
    draft = Draft(lake=request.query.get("lake", ""))
    return page(request, "logbook.html", draft=draft, lakes=LAKES, entries=request.app.state.logbook.read())


def write_logbook(request: Request) -> Response:
    """Good entries are redirected to, so that reloading the page does not send them again."""
    draft = Draft.read(request.form())
    book = request.app.state.logbook
    if draft.errors:
        return page(request, "logbook.html", 422, draft=draft, lakes=LAKES, entries=book.read())
    entry = book.write(draft)
    return redirect(f"{request.url_for('logbook')}#entry-{entry.number}", status_code=303)


async def sounding(request: AsyncRequest) -> Response:
    """A page that is sent while it happens: the line goes down, mark by mark."""
    whole = page(request, "sounding.html", lake=LAKES[0], marks=MARKS).body.decode()
    top, *marks, bottom = whole.split("<!-- next -->")

    async def pieces() -> AsyncIterator[str]:
        yield top
        for mark in marks:
            await asyncio.sleep(request.app.state.pause)
            yield mark
        yield bottom

    return StreamingResponse(pieces(), headers={"cache-control": "no-store"})


def api_lakes(request: Request) -> dict[str, Any]:
    return {"lakes": [summary(request, lake) for lake in LAKES]}


def api_lake(request: Request, slug: str) -> dict[str, Any]:
    lake = find(slug)
    return {**vars(lake), **summary(request, lake), "logbook": len(request.app.state.logbook.read(lake))}


def summary(request: Request, lake: Lake) -> dict[str, Any]:
    return {
        "name": lake.name,
        "countries": lake.countries.split(", "),
        "depth": lake.depth,
        "url": request.url_for("api_lake", slug=lake.slug, absolute=True),
    }


def not_found(request: Request, error: HTTPException) -> Response:
    if request.path.startswith("/api/"):
        return ProblemResponse(404, "Not Found", error.detail)
    return page(request, "missing.html", 404, detail=error.detail)


app = Application(
    [
        Route("/", home),
        Route("/lakes", lake_list, name="lakes"),
        Route("/lakes/{slug}", lake_page, name="lake"),
        Route("/plates/{number:int}", plate),
        Route("/logbook", show_logbook, name="logbook"),
        Route("/logbook", write_logbook, methods=["POST"]),
        Route("/sounding", sounding),
        Route("/api/lakes", api_lakes),
        Route("/api/lakes/{slug}", api_lake),
        Static("/static", "static"),
    ],
    exception_handlers={404: not_found},
)
app.state.logbook = first_pages()
app.state.pause = 0.35
