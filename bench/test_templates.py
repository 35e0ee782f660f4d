"""Rendering pages: a layout with links, an article with comments by a macro, one block of it, and the same streamed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atlas import Application, Request, Response, Route, render
from bench.in_memory import Link

Benchmark = Any
Connect = Callable[..., Link]

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CONTEXT = {
    "menu": ["home", "block", "streamed"],
    "article": {
        "title": "Lakes & their depths",
        "text": [f"Paragraph {number} of a text about <lakes>, & of what is in them." for number in range(8)],
        "tags": ["water", "maps", "depth"],
    },
    "comments": [{"author": f"reader {number}", "text": "I've been there: it's <deep>."} for number in range(10)],
}


def home(request: Request) -> Response:
    return render(request, "article.html", CONTEXT)


def block(request: Request) -> Response:
    return render(request, "article.html", CONTEXT, block="title")


def streamed(request: Request) -> Response:
    return render(request, "article.html", CONTEXT, stream=True)


@pytest.mark.parametrize("name", ["home", "block", "streamed"])
def test_a_page(name: str, connect: Connect, benchmark: Benchmark) -> None:
    routes = [Route("/", home), Route("/block", block), Route("/streamed", streamed)]
    application = Application(routes, config={"template_dirs": [str(Path(__file__).with_name("pages"))]})
    link = connect(application, date_header=False)
    request = REQUEST if name == "home" else REQUEST.replace(b"/ ", b"/%s " % name.encode(), 1)
    expected = link.first_response(request)
    assert benchmark(link.ask, request, len(expected)) == expected
    assert b"Lakes &amp; their depths" in expected
