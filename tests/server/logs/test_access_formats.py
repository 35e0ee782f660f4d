"""Lines of the access log: every atom, every look, and no way to add a line."""

import json
import os
import time

import pytest

from atlas.server.logs.access_formats import ATOMS, Fields, Record, make_formatter


def record(
    *,
    client: tuple[str, int] | str | None = ("127.0.0.1", 53412),
    target: bytes = b"/a?b=1",
    status: int = 200,
    size: int = 12,
    request: Fields = (),
    response: Fields | None = None,
) -> Record:
    return (client, "GET", target, "1.1", status, size, 1700000000.25, 1.0025, request, response)


def line(pattern: str | None, one: Record, *, use_colors: bool = False) -> str:
    [text] = make_formatter(pattern, use_colors)([one])
    assert text.endswith("\n")
    return text[:-1]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (record(), 'INFO:     127.0.0.1:53412 - "GET /a?b=1 HTTP/1.1" 200 OK'),
        (record(status=404), 'INFO:     127.0.0.1:53412 - "GET /a?b=1 HTTP/1.1" 404 Not Found'),
        (record(status=299), 'INFO:     127.0.0.1:53412 - "GET /a?b=1 HTTP/1.1" 299'),
        (record(status=999), 'INFO:     127.0.0.1:53412 - "GET /a?b=1 HTTP/1.1" 999'),
        (record(client=None), 'INFO:     - - "GET /a?b=1 HTTP/1.1" 200 OK'),
        (record(client=""), 'INFO:     - - "GET /a?b=1 HTTP/1.1" 200 OK'),
        (record(target=b'/"\r\n\\\x85'), r'INFO:     127.0.0.1:53412 - "GET /\x22\x0d\x0a\x5c\x85 HTTP/1.1" 200 OK'),
    ],
)
def test_uvicorns_look(one: Record, expected: str) -> None:
    assert line(None, one) == expected


def test_uvicorns_look_in_colours() -> None:
    expected = (
        '\033[32mINFO\033[0m:     127.0.0.1:53412 - "\033[1mGET /a?b=1 HTTP/1.1\033[0m" \033[31m404 Not Found\033[0m'
    )
    assert line(None, record(status=404), use_colors=True) == expected
    assert "\033[37m700\033[0m" in line(None, record(status=700), use_colors=True)


def test_a_batch_keeps_its_order_and_escapes_only_where_it_must() -> None:
    lines = make_formatter(None, False)([record(target=b"/1"), record(target=b'/"'), record(target=b"/3")])
    assert [text.split()[4] for text in lines] == ["/1", "/\\x22", "/3"]


HEADERS = [(b"referer", b"http://r/"), (b"user-agent", b'a"b\x1b\xe9'), (b"x-two", b"1"), (b"x-two", b"2")]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("%(h)s", "127.0.0.1"),
        ("%(l)s", "-"),
        ("%(u)s", "-"),
        ("%(r)s", "GET /a?b=1 HTTP/1.1"),
        ("%(m)s", "GET"),
        ("%(U)s", "/a"),
        ("%(q)s", "b=1"),
        ("%(H)s", "HTTP/1.1"),
        ("%(s)s", "200"),
        ("%(B)s", "12"),
        ("%(b)s", "12"),
        ("%(f)s", "http://r/"),
        ("%(a)s", r"a\x22b\x1b\xe9"),
        ("%(T)s", "1"),
        ("%(D)s", "1002500"),
        ("%(M)s", "1002"),
        ("%(L)s", "1.002500"),
        pytest.param("%(p)s", f"<{os.getpid()}>", id="%(p)s"),
        ("%({X-Two}i)s", "1, 2"),
        ("%({nothing}i)s", "-"),
        ("%({Content-Type}o)s", "text/plain"),
        ("%({nothing}o)s", "-"),
        ("%({ATLAS_TEST_COLOUR}e)s", "blue"),
        ("%({ATLAS_TEST_NOTHING}e)s", "-"),
        ("%% [%(s)s] é", "% [200] é"),
    ],
)
def test_gunicorns_atoms(monkeypatch: pytest.MonkeyPatch, pattern: str, expected: str) -> None:
    monkeypatch.setenv("ATLAS_TEST_COLOUR", "blue")
    assert line(pattern, record(request=HEADERS, response=[(b"Content-Type", b"text/plain")])) == expected


def test_every_atom_is_tested() -> None:
    assert set("hlurmUqHsBbfaTDMLpt") == set(ATOMS)


def test_the_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert line("%(t)s", record()) == "[14/Nov/2023:22:13:20 +0000]"


@pytest.mark.parametrize(
    ("value", "user"),
    [
        (b"Basic YWRhOnNlY3JldA==", "ada"),
        (b"basic YWRhOg==", "ada"),
        (b"Basic CmEK", r"\x0aa\x0a"),
        (b"Basic !", "-"),
        (b"Basic ", "-"),
        (b"Bearer x", "-"),
    ],
)
def test_the_user(value: bytes, user: str) -> None:
    assert line("%(u)s", record(request=[(b"authorization", value)])) == user


def test_no_bytes_are_a_dash_for_b_and_a_zero_for_capital_b() -> None:
    assert line("%(b)s %(B)s", record(size=0)) == "- 0"


@pytest.mark.parametrize("pattern", ["%(z)s", "%(h)d", "100%", "%({x}z)s"])
def test_an_unknown_atom_is_an_error(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"^expected (one of the atoms|atoms as) .*, got "):
        make_formatter(pattern, False)


def test_json() -> None:
    text = line("json", record(target=b'/"\n\x85?q', client=None, request=HEADERS))
    assert text.isascii()
    assert json.loads(text) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "info",
        "logger": "atlas.access",
        "client": None,
        "method": "GET",
        "path": '/"\n\x85',
        "query": "q",
        "protocol": "HTTP/1.1",
        "status": 200,
        "bytes": 12,
        "duration_ms": 1002.5,
        "request_id": None,
        "referer": "http://r/",
        "user_agent": 'a"b\x1bé',
    }
    assert json.loads(line("json", record()))["client"] == "127.0.0.1"


def test_the_request_id_in_json_is_that_of_the_response_or_else_of_the_request() -> None:
    request, response = [(b"x-request-id", b"of the request")], [(b"X-Request-ID", b"of the response")]
    assert json.loads(line("json", record(request=request)))["request_id"] == "of the request"
    assert json.loads(line("json", record(request=request, response=response)))["request_id"] == "of the response"
