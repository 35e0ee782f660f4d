"""``atlas serve`` as a process, with sync functions, wrong targets, and --dev."""

import re
import signal
from pathlib import Path

import pytest

from tests.cli.test_process import PATIENCE, end, fails, get, serving, start

KINDS = """
import os
import threading
from atlas import Application, Route

def plain(scope, receive, send):
    if scope["type"] == "lifespan":
        receive()
        send({"type": "lifespan.startup.complete"})
        receive()
        print("lifespan is down", flush=True)
        send({"type": "lifespan.shutdown.complete"})
        return
    send({"type": "http.response.start", "status": 200, "headers": []})
    send({"type": "http.response.body", "body": b"plain"})

async def asynchronous(scope, receive, send):
    pass

def wsgi(environ, start_response):
    return []

def say(request):
    return str(request.app.debug)

says_nothing = Application([Route("/a", say)])
says_no = Application([Route("/a", say)], debug=False)

def hold(request):
    threading.Event().wait(0.3)
    return "held"

holds = Application([Route("/a", hold)])
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("ATLAS_DEBUG", raising=False)
    (tmp_path / "kinds.py").write_text(KINDS)
    return tmp_path


def port_in(line: str) -> int:
    found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
    assert found, line
    return int(found[1])


@pytest.mark.parametrize("flags", [[], ["--interface", "lasgi"], ["--lifespan", "on"]])
def test_plain_code_is_served_as_it_is(folder: Path, flags: list[str]) -> None:
    with serving(folder, "kinds:plain", "--port", "0", *flags) as (process, line):
        assert get(port_in(line)) == b"plain"
        status, out, err = end(process, signal.SIGTERM)
    assert status == 0, err
    assert "lifespan is down" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["kinds:wsgi"], "kinds.wsgi: expected 3 parameters (scope, receive, send), got 2: is it WSGI?"),
        (["kinds:asynchronous", "--interface", "lasgi"], "--interface lasgi: kinds.asynchronous is 'async def'"),
        (["kinds:says_no", "--interface", "lsgi"], "--interface: expected one of auto, asgi, lasgi"),
    ],
)
def test_a_wrong_choice_is_one_line(folder: Path, arguments: list[str], words: str) -> None:
    status, lines = fails(folder, *arguments, "--port", "0")
    assert status != 0
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"Error: {words}"), lines


@pytest.mark.parametrize(
    ("app", "flags", "debug"),
    [
        ("says_nothing", [], b"False"),
        ("says_nothing", ["--dev"], b"True"),
        ("says_nothing", ["--no-dev"], b"False"),
        ("says_no", ["--dev"], b"False"),
    ],
)
def test_debug_pages_for_development(folder: Path, app: str, flags: list[str], debug: bytes) -> None:
    with serving(folder, f"kinds:{app}", "--port", "0", *flags) as (process, line):
        assert get(port_in(line)) == debug
        assert end(process, signal.SIGTERM)[0] == 0


def test_a_controller_that_holds_the_loop_is_named_for_development(folder: Path) -> None:
    with serving(folder, "kinds:holds", "--port", "0", "--dev") as (process, line):
        port = port_in(line)
        assert get(port) == b"held"
        assert get(port) == b"held"
        status, _, err = end(process, signal.SIGTERM)
    assert status == 0
    (told,) = re.findall(r"^WARNING: .*", err, re.MULTILINE)
    assert re.fullmatch(
        r"WARNING:  kinds\.hold \(kinds\.py:\d+\) blocked the event loop for \d+ ms at kinds\.py:\d+; "
        r"no other request was served meanwhile:",
        told,
    )
    assert re.search(r'^ {10}run="thread" on its route', err, re.MULTILINE)
    assert "threading.Event().wait(0.3)" in err


def test_the_help_of_dev_and_interface(folder: Path) -> None:
    process = start(folder, "--help")
    out, _ = process.communicate(timeout=PATIENCE)
    words = " ".join(out.split())
    told = "Development mode: reload, refreshed pages, debug pages, and warnings about a blocked event loop."
    assert f"--[no-]dev {told} [off]" in words
    assert "Interface of the application: auto, asgi, lasgi (a sync function). [auto]" in words
