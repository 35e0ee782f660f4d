"""The debug page: shows an unhandled exception to the developer. One document, without scripts or other files."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from functools import partial
from html import escape
from typing import Any

from atlas.web.errors.debug_style import STYLE
from atlas.web.errors.masking import MASK, is_secret, masked, masked_source, shown
from atlas.web.errors.tracebacks import Frame, Raised, SourceLine, examine
from atlas.web.requests.request_head import RequestHead

__all__ = ["debug_page", "routes_table"]

_LINKS = {
    "cause": "It was raised because of this one",
    "context": "It was raised while this one was being handled",
    "member": "One of the group",
}


def debug_page(request: RequestHead, error: BaseException) -> str:
    """Render the debug page.

    It does not raise: a part that cannot be rendered is replaced by a message.

    :param request: the request that failed.
    :param error: the exception.
    :returns: the page as HTML.
    """
    chain = examine(error)
    first = chain[0]
    return _PAGE.format(
        title=escape(f"{first.kind}: {first.message}"[:120]),
        style=STYLE,
        asked=_safely(lambda: f"{escape(request.method)} <span>{escape(_shown_url(request))}</span>"),
        kind=_kind(first.kind),
        message=_message(first.message),
        notes=_notes(first.notes),
        where=_safely(lambda: _where(chain)),
        frames="".join(_safely(partial(_raised, each)) for each in chain),
        plain=escape("\n".join(each.trace for each in reversed(chain))),
        request=_safely(lambda: _request(request)),
        routes=_safely(lambda: routes_table(request)),
        versions=_safely(_versions),
    )


def _safely(make: Callable[[], str]) -> str:
    """Render a part of the page, or a line that says why it is missing."""
    try:
        return make()
    except Exception as error:
        return f'<p class="lost">This could not be shown: {escape(type(error).__name__)}.</p>'


def _kind(name: str) -> str:
    module, dot, last = name.rpartition(".")
    return f"<small>{escape(module + dot)}</small>{escape(last)}"


def _message(text: str) -> str:
    long = " long" if len(text) > 160 or "\n" in text else ""
    return f'<p class="message{long}">{escape(text[:4000])}</p>' if text else ""


def _notes(notes: Iterable[str]) -> str:
    return "".join(f'<p class="note">{escape(note)}</p>' for note in notes)


def _where(chain: list[Raised]) -> str:
    """Render the place of the innermost frame in code of the program."""
    frames = [frame for frame in chain[0].frames if frame.of_interest] or list(chain[0].frames)
    if not frames:
        return ""
    frame = frames[0]
    inside = f" in <b>{escape(frame.function)}</b>" if frame.function else ""
    return f'<p class="where"><b>{escape(frame.place)}:{frame.number}</b>{inside}</p>'


# ------------------------------------------------------------------------------------------------------ traceback


def _raised(raised: Raised) -> str:
    head = ""
    if raised.link:
        head = (
            f'<div class="link"><p>{_LINKS[raised.link]}</p>'
            f"<h3>{_kind(raised.kind)}</h3>{_message(raised.message)}{_notes(raised.notes)}</div>"
        )
    parts = [head]
    folded: list[Frame] = []
    opened = any(frame.of_interest for frame in raised.frames)
    for index, frame in enumerate(raised.frames):
        if frame.of_interest or (not opened and index == 0):
            parts += [_folded(folded), _frame(frame, True)]
            folded = []
        else:
            folded.append(frame)
    parts.append(_folded(folded))
    if raised.left_out:
        parts.append(f'<p class="lost">{raised.left_out} more steps of the same way are left out.</p>')
    return "".join(parts)


def _folded(frames: list[Frame]) -> str:
    """Render frames in libraries, folded into one line that opens."""
    if not frames:
        return ""
    if len(frames) == 1:
        return _frame(frames[0], False)
    whose = ", ".join(dict.fromkeys("Atlas" if each.kind == "atlas" else each.place.split("/")[0] for each in frames))
    inside = "".join(_frame(frame, False) for frame in frames)
    return f'<details class="others"><summary>{len(frames)} steps in {escape(whose)}</summary>{inside}</details>'


def _frame(frame: Frame, opened: bool) -> str:
    inside = f'<span class="function">{escape(frame.function)}</span>' if frame.function else ""
    badge = '<span class="badge">template</span>' if frame.kind == "template" else ""
    return (
        f'<details class="frame {frame.kind}"{" open" * opened}><summary><span class="place">{escape(frame.place)}'
        f"<i>:{frame.number}</i></span>{inside}{badge}</summary>{_source(frame.source)}{_values(frame.values)}</details>"
    )


def _source(lines: Iterable[SourceLine]) -> str:
    rows = "".join(
        f'<li value="{line.number}"{" class=current" * line.current}><code>{_marked(line) or " "}</code></li>'
        for line in lines
    )
    return f'<ol class="source">{rows}</ol>' if rows else '<p class="lost">Its source is not at hand.</p>'


def _marked(line: SourceLine) -> str:
    text = masked_source(line.text)
    if line.mark is None or text != line.text:
        return escape(text)
    start, end = line.mark
    return f"{escape(text[:start])}<mark>{escape(text[start:end])}</mark>{escape(text[end:])}"


def _values(values: Iterable[tuple[str, str]]) -> str:
    rows = "".join(_row(name, text) for name, text in values)
    return f'<dl class="values">{rows}</dl>' if rows else ""


def _row(name: str, text: str) -> str:
    secret = ' class="secret"' if text == MASK else ""
    return f"<div><dt>{escape(name)}</dt><dd{secret}>{escape(text)}</dd></div>"


# -------------------------------------------------------------------------------------------------------- request


def _shown_url(request: RequestHead) -> str:
    path = request.full_path
    for name, value in request.path_params.items():
        if is_secret(name) and (text := str(value)):
            path = path.replace(text, MASK)
    query = "&".join(f"{name}={MASK if is_secret(name) else masked(value)}" for name, value in request.query.pairs())
    return path + (f"?{query}" if query else "")


def _request(request: RequestHead) -> str:
    route: Any = getattr(request, "route", None)
    about = [
        ("address", f"{request.method} {request.scheme}://{request.host}{_shown_url(request)}"),
        ("client", ":".join(map(str, request.client)) if request.client else "unknown"),
        ("HTTP", request.http_version),
    ]
    if route is not None:
        about.insert(1, ("route", f"{route.path} → {route.name} ({route.place})"))
    parts: list[tuple[str, Callable[[], Iterable[tuple[str, str]]]]] = [
        ("Asked", lambda: about),
        ("Path parameters", lambda: [(name, shown(name, each)) for name, each in request.path_params.items()]),
        ("Query", lambda: _masked_pairs(request.query.pairs())),
        ("Header fields", lambda: _masked_pairs((name.decode("latin-1"), each) for name, each in request.headers.raw)),
        ("Cookies", lambda: [(name, MASK) for name in request.cookies]),
        ("State", lambda: [(name, shown(name, each)) for name, each in request.state.items()]),
    ]
    return "".join(_safely(partial(_part, title, rows)) for title, rows in parts)


def _masked_pairs(pairs: Iterable[tuple[str, str | bytes]]) -> list[tuple[str, str]]:
    found = []
    for name, value in pairs:
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        found.append((name, MASK if is_secret(name) else masked(text)[:600]))
    return found


def _part(title: str, rows: Callable[[], Iterable[tuple[str, str]]]) -> str:
    text = _values(rows())
    return f"<h3>{title}</h3>{text}" if text else ""


def routes_table(request: RequestHead) -> str:
    """Render the routes of the application as a table; the route of the request is marked.

    :param request: the request.
    :returns: the table as HTML.
    """
    route: Any = getattr(request, "route", None)
    rows = []
    for each in request.app.iter_routes():
        here = " class=here" if route is not None and route.place == each.place and route.path == each.path else ""
        methods = " ".join(each.methods)
        rows.append(
            f"<tr{here}><td>{escape(methods)}</td><td>{escape(each.path)}</td><td>{escape(each.name)}</td>"
            f"<td>{escape(_short_place(each.place))}</td></tr>"
        )
    if not rows:
        return '<p class="lost">The application has no routes.</p>'
    head = "<tr><th>Methods<th>Path<th>Name<th>Written at"
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>'


def _short_place(place: str) -> str:
    return "/".join(place.rsplit("/", 2)[-2:])


def _versions() -> str:
    from atlas import __version__

    return f"Atlas {escape(__version__)} · Python {escape(platform.python_version())}"


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>{style}</style>
<header>
<p class="asked"><b>500</b>{asked}</p>
<h1>{kind}</h1>
{message}{notes}{where}
</header>
<nav><a href="#traceback">Traceback</a><a href="#request">Request</a><a href="#routes">Routes</a></nav>
<main>
<section id="traceback"><h2>Traceback <small>the last step first</small></h2>
{frames}
<details class="plain"><summary>As plain text</summary><pre>{plain}</pre></details>
</section>
<section id="request"><h2>Request</h2>
{request}
</section>
<section id="routes"><h2>Routes</h2>
{routes}
</section>
</main>
<footer><p>The application is in debug mode. Do not enable it in production.</p>
<p>{versions}</p></footer>
</html>
"""
