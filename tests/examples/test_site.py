import asyncio
import re
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

SITE = Path(__file__).parents[2] / "examples" / "site"
MODULES = ("main", "lakes", "logbook", "drawing")


@pytest.fixture
def app() -> Iterator[Any]:
    """The site, freshly imported, so that no test reads what another one wrote."""
    sys.path.insert(0, str(SITE))
    kept = {name: sys.modules.pop(name) for name in MODULES if name in sys.modules}
    try:
        import main

        main.app.state.pause = 0
        yield main.app
    finally:
        sys.path.remove(str(SITE))
        for name in MODULES:
            sys.modules.pop(name, None)
        sys.modules.update(kept)


@pytest.fixture
def ask(app: Any) -> Any:
    def ask_once(method: str, path: str, **options: Any) -> httpx.Response:
        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://site.test") as client:
                return await client.request(method, path, **options)

        return asyncio.run(go())

    return ask_once


def test_every_link_of_every_page_leads_somewhere(ask: Any) -> None:
    waiting, seen = ["/"], set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        response = ask("GET", path)
        assert response.status_code == 200, path
        if response.headers["content-type"].startswith("text/html"):
            links = [unescape(link) for link in re.findall(r'(?:href|src|action)="([^"#][^"]*)"', response.text)]
            assert all(link.startswith("/") for link in links), "nothing comes from elsewhere"
            waiting += links
    assert {"/", "/lakes", "/lakes/baikal", "/logbook", "/sounding", "/api/lakes", "/static/atlas.css"} <= seen


@pytest.mark.parametrize("path", ["/", "/lakes", "/lakes/como", "/logbook", "/sounding", "/nowhere"])
def test_pages_are_whole_and_have_their_title_and_language(ask: Any, path: str) -> None:
    page = ask("GET", path).text
    assert page.startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    assert page.count("<h1") == 1
    assert '<html lang="en">' in page
    assert re.search(r"<title>.+</title>", page)
    identifiers = re.findall(r' id="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))


def test_the_list_is_ordered_as_asked(ask: Any) -> None:
    def names(path: str) -> list[str]:
        return re.findall(r'<span class="name">([^<]+)</span>', ask("GET", path).text)

    assert names("/lakes")[0] == "Baikal"
    assert names("/lakes?by=name")[:3] == ["Baikal", "Balaton", "Como"]
    assert names("/lakes?by=altitude")[0] == "Titicaca"
    assert names("/lakes?by=nonsense") == names("/lakes")
    assert len(names("/lakes")) == 9


def test_a_plate_leads_to_its_lake(ask: Any) -> None:
    response = ask("GET", "/plates/5")
    assert (response.status_code, response.headers["location"]) == (302, "/lakes/como")
    assert ask("GET", "/plates/10").status_code == 404
    assert ask("GET", "/plates/x").status_code == 404


def test_what_is_not_in_the_atlas(ask: Any) -> None:
    response = ask("GET", "/lakes/%3Cscript%3E")
    assert response.status_code == 404
    assert "There is no lake “&lt;script&gt;” in this atlas." in response.text
    assert "Off the map" in ask("GET", "/nowhere").text


def test_the_form_writes_and_redirects_to_what_it_wrote(ask: Any) -> None:
    note = "We saw a <script>alert(1)</script> swim by.\r\nIt had two humps."
    response = ask("POST", "/logbook", data={"name": "O'Brien & <i>", "lake": "como", "note": note})
    assert (response.status_code, response.headers["location"]) == (303, "/logbook#entry-4")
    page = ask("GET", "/logbook").text
    assert 'id="entry-4"' in page
    assert "We saw a &lt;script&gt;alert(1)&lt;/script&gt; swim by.\nIt had two humps." in page
    assert "O&#39;Brien &amp; &lt;i&gt;" in page
    assert "It had two humps." in ask("GET", "/lakes/como").text
    assert "It had two humps." not in ask("GET", "/lakes/baikal").text


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", " ", "Please sign with a name."),
        ("name", "x" * 41, "this one has 41."),
        ("name", "a\0b", "one line of plain text"),
        ("lake", "", "Please choose one of the nine lakes."),
        ("lake", "ontario", "Please choose one of the nine lakes."),
        ("note", "short", "10 characters at least"),
        ("note", "x" * 401, "this has 401."),
    ],
)
def test_a_mistake_is_shown_at_its_field_and_nothing_is_lost(ask: Any, field: str, value: str, message: str) -> None:
    filled = {"name": "Ann", "lake": "como", "note": "Quiet & <cold> water."}
    response = ask("POST", "/logbook", data={**filled, field: value})
    page = response.text
    assert response.status_code == 422
    assert re.search(rf'id="{field}-error">[^<]*{re.escape(message)}', page)
    assert f'aria-describedby="{field}-error"' in page
    assert page.count("aria-invalid") == 1
    assert "One thing needs another look" in page
    if field != "note":
        assert "Quiet &amp; &lt;cold&gt; water.</textarea>" in page
    if field != "lake":
        assert '<option value="como" selected>' in page
    assert 'id="entry-4"' not in ask("GET", "/logbook").text


def test_an_empty_form_has_three_mistakes(ask: Any) -> None:
    page = ask("POST", "/logbook").text
    assert page.count("aria-invalid") == 3
    assert page.count("autofocus") == 1
    assert "A few things need another look" in page


def test_the_logbook_keeps_the_last_fifty(ask: Any, app: Any) -> None:
    for number in range(60):
        ask("POST", "/logbook", data={"name": "Ann", "lake": "como", "note": f"A note, number {number}."})
    assert len(app.state.logbook.read()) == 50


def test_the_sounding_is_sent_in_pieces(app: Any) -> None:
    sent = []

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    scope = {"type": "http", "method": "GET", "path": "/sounding", "headers": [], "query_string": b""}
    asyncio.run(app(scope, receive, send))
    bodies = [event["body"] for event in sent[1:] if event["body"]]
    assert len(bodies) == 17
    assert bodies[0].startswith(b"<!doctype html>")
    assert b"The ground of Balaton" in bodies[1]
    assert bodies[-1].rstrip().endswith(b"</html>")


def test_the_figures_as_json(ask: Any) -> None:
    lakes = ask("GET", "/api/lakes").json()["lakes"]
    assert len(lakes) == 9
    assert lakes[0]["url"] == "http://site.test/api/lakes/baikal"
    one = ask("GET", "/api/lakes/titicaca").json()
    assert (one["depth"], one["countries"], one["logbook"]) == (281, ["Bolivia", "Peru"], 1)
    missing = ask("GET", "/api/lakes/ontario")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")


def test_the_hello_application() -> None:
    import importlib.util

    spec = importlib.util.spec_from_file_location("asgi_hello", SITE.parent / "asgi_hello.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    async def go() -> httpx.Response:
        transport = httpx.ASGITransport(app=module.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://site.test") as client:
            return await client.get("/")

    assert asyncio.run(go()).text == "Hello, world!\n"


def test_every_lake_is_drawn_inside_of_its_plate(app: Any) -> None:
    import main

    for lake in main.LAKES:
        plate = main.draw(lake)
        numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", plate.shore)]
        assert min(numbers) > 0, lake.name
        assert max(numbers[0::2]) < plate.width, lake.name
        assert max(numbers[1::2]) < plate.height, lake.name
        assert 0 < plate.deepest[0] < plate.width
