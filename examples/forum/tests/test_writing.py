"""New threads, replies, and the stream of new posts."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from atlas import Application

from tests.visiting import Visitor, error_of, titles

GOOD = {"board": "which-way", "title": "Is this the right tunnel?", "text": "It has a light at its end."}


def test_a_new_thread(member: Visitor) -> None:
    answer = member.send("/threads/new", to="/threads", **GOOD)
    assert answer.status_code == 303
    page = member.open(answer.headers["location"])
    assert "Your thread is open." in page.text
    assert "<h1>Is this the right tunnel?</h1>" in page.text
    assert titles(member.open("/"))[0] == titles(member.open("/boards/which-way"))[0] == "Is this the right tunnel?"
    assert titles(member.open("/search?q=tunnel")) == ["Is this the right tunnel?"]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("board", "", "Please choose a board."),
        ("board", "no-such", "There is no such board"),
        ("title", "", "Please fill this in."),
        ("title", "short", "at least 8 characters"),
        ("title", "x" * 121, "this has 121"),
        ("text", "   short   ", "at least 10 characters"),
        ("text", "x" * 10_001, "At most 10000"),
    ],
)
def test_an_invalid_form_keeps_its_values(member: Visitor, field: str, value: str, message: str) -> None:
    page = member.send("/threads/new", to="/threads", **{**GOOD, field: value})
    assert page.status_code == 422
    assert message in error_of(page, field)
    assert page.text.count("aria-invalid") == 1
    if field != "text":
        assert f"{GOOD['text']}</textarea>" in page.text
    if field != "board":
        assert '<option value="which-way" selected>' in page.text


def test_a_reply_is_the_last_post_of_the_last_page(member: Visitor) -> None:
    (title,) = set(titles(member.open("/search?q=skerries")))
    number = re.findall(r'href="/threads/(\d+)">' + title, member.open("/?order=read").text)[0]
    answer = member.send(f"/threads/{number}?page=2", to=f"/threads/{number}/replies", text="A <b>blank</b> sheet.")
    page, _, anchor = answer.headers["location"].partition("#")
    assert page == f"/threads/{number}?page=2"
    assert f'id="{anchor}"' in member.open(page).text
    assert "<p>A &lt;b&gt;blank&lt;/b&gt; sheet.</p>" in member.open(page).text


def test_a_reply_that_is_too_short(member: Visitor) -> None:
    page = member.send("/threads/1", to="/threads/1/replies", text=" no ")
    assert (page.status_code, error_of(page, "text")) == (422, "Please write at least 10 characters.")
    assert ">no</textarea>" in page.text


def test_an_author_changes_a_post(member: Visitor) -> None:
    number = member.send("/threads/1", to="/threads/1/replies", text="It was a owl.").headers["location"].split("-")[-1]
    edit = f"/posts/{number}/edit"
    assert edit in member.open("/threads/1").text
    assert ">It was a owl.</textarea>" in member.open(edit).text
    assert error_of(member.send(edit, text="Hm."), "text") == "Please write at least 10 characters."
    assert member.send(edit, text="It was an owl.").headers["location"] == f"/posts/{number}"
    page = member.open(f"/posts/{number}")
    assert "It was an owl." in page.text
    assert 'title="Changed just now"' in page.text
    assert titles(member.open("/search?q=owl")) == titles(member.open("/search?q=an+owl"))


def test_only_the_author_changes_a_post(member: Visitor) -> None:
    refused = member.open("/posts/1/edit")
    assert (refused.status_code, "Only the author of a post" in refused.text) == (403, True)
    assert member.send("/threads/1", to="/posts/1/edit", text="I take it all back.").status_code == 403
    assert "I take it all back." not in member.open("/threads/1").text
    assert member.open("/posts/999/edit").status_code == 404


def test_a_reply_needs_a_login(visitor: Visitor) -> None:
    answer = visitor.send("/login", to="/threads/1/replies", text="It was me, and I won't say who.")
    assert answer.headers["location"].startswith("/login")
    assert "It was me" not in visitor.open("/threads/1").text
    assert "Log in to answer" in visitor.open("/threads/1").text


def test_a_reply_to_an_unknown_thread(member: Visitor) -> None:
    assert member.send("/", to="/threads/999/replies", text="To no thread at all.").status_code == 404
    assert member.open("/threads/999").status_code == 404


def test_the_stream_has_new_posts(member: Visitor, app: Application) -> None:
    token_page = "/threads/1"
    with member.client.stream("GET", "/threads/1/events?after=3") as stream:
        assert stream.headers["content-type"] == "text/event-stream"
        events = events_of(stream.iter_lines())
        member.send(token_page, to="/threads/1/replies", text="A light, at last!")
        event = next(events)
        assert event["event"] == "post"
        assert f'<article class="post" id="post-{event["id"]}"' in event["data"]
        assert "A light, at last!" in event["data"]
        assert "<html" not in event["data"]
    assert len(app.state.subscriptions) == 0, "the subscription ends with the stream"


def test_a_reconnecting_stream_begins_after_the_last_event(member: Visitor) -> None:
    member.send("/threads/2", to="/threads/2/replies", text="The first of two answers.")
    member.send("/threads/2", to="/threads/2/replies", text="The second of two answers.")
    last = re.findall(r'id="post-(\d+)"', member.open("/threads/2").text)[-3]
    with member.client.stream("GET", "/threads/2/events?after=0", headers={"last-event-id": last}) as stream:
        events = events_of(stream.iter_lines())
        assert "The first of two answers." in next(events)["data"]
        assert "The second of two answers." in next(events)["data"]


@pytest.mark.parametrize("last", ["", "x", "-1", "²", "9" * 19, "9" * 5000])
def test_an_invalid_last_event_id_is_ignored(member: Visitor, last: str) -> None:
    with member.client.stream("GET", "/threads/1/events", params={"after": last}) as stream:
        assert next(events_of(stream.iter_lines()))["id"] == "1"


def test_the_stream_of_an_unknown_thread(visitor: Visitor) -> None:
    assert visitor.open("/threads/999/events").status_code == 404


def events_of(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """Yield the events of a stream, parsed from its lines."""
    event: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line and name:
            event[name] = f"{event[name]}\n{value}" if name in event else value
        elif event:
            yield event
            event = {}
