"""What is asked of a server: the request, the load, the one right answer, and the goal that Atlas sets itself."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bench.side_by_side.apps import HELLO, MEBIBYTE, PIECE, PIECES

BROWSER_HEADERS = (
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("Accept-Language", "en-GB,en;q=0.7,de;q=0.3"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Referer", "http://127.0.0.1/articles/2026/a-page-before-this-one"),
    ("Connection", "keep-alive"),
    ("Cookie", "session=b1946ac92492d2347c6235b4d2611184; theme=light; consent=2026-01-01"),
    ("Upgrade-Insecure-Requests", "1"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Priority", "u=0, i"),
)  # with Host, the thirteen of a browser


JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Goal:
    """What Atlas is to reach, as ratios to the base (uvicorn) in the same run.

    ``cpu_of`` are goals for the CPU time per request beside other servers, by name. ``tail`` is the most that
    p99 may be as a multiple of the median.
    """

    requests: float
    cpu: float | None = None
    cpu_of: tuple[tuple[str, float], ...] = ()
    tail: float | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One question, the same for every server.

    ``baselines`` are the servers without Python that can answer it as well; ``logged`` lets every server with an access
    log run twice, without and with it. Where a ``content_type`` is given it is checked as well, without its
    parameters; JSON is right when it says the same, with or without spaces. With ``latencies`` every single latency of
    a plain GET is kept.
    """

    name: str
    title: str
    app: str
    answer: bytes
    method: str = "GET"
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    connections: int = 64
    depth: int = 1
    baselines: frozenset[str] = frozenset()
    logged: bool = False
    goal: Goal | None = None
    content_type: str = ""
    latencies: bool = False

    def is_right(self, body: bytes) -> bool:
        """Whether this is the answer."""
        if self.content_type != JSON:
            return body == self.answer
        try:
            return bool(json.loads(body) == json.loads(self.answer))
        except ValueError:
            return False

    @property
    def closes(self) -> bool:
        """Whether each request takes a new connection."""
        return ("Connection", "close") in self.headers


FLOOR = frozenset({"floor"})
FLOOR_AND_NGINX = frozenset({"floor", "nginx"})

SCENARIOS = (
    Scenario(
        "hello", "a bare GET", "hello", HELLO,
        baselines=FLOOR_AND_NGINX, goal=Goal(2.0, 0.5, cpu_of=(("floor", 2.1), ("h2corn", 0.72))),
    ),
    Scenario(
        "browser", "a GET with a browser's 13 headers", "hello", HELLO,
        headers=BROWSER_HEADERS, baselines=FLOOR_AND_NGINX, goal=Goal(2.0, 0.5),
    ),
    Scenario(
        "pipelined", "bare GETs, 16 in flight on each connection", "hello", HELLO,
        depth=16, baselines=FLOOR_AND_NGINX, goal=Goal(4.0),
    ),
    Scenario("suspend", "an app that suspends once", "suspend", HELLO, goal=Goal(1.6)),
    Scenario(
        "post", "a POST of 1 KiB that the app reads", "count", b"1024",
        method="POST", body=b"x" * 1024, baselines=FLOOR, goal=Goal(1.8),
    ),
    Scenario("stream", "a response in 100 streamed pieces", "stream", PIECE * PIECES, goal=Goal(2.0)),
    Scenario(
        "upload", "1 MiB in", "count", b"%d" % len(MEBIBYTE),
        method="POST", body=b"x" * len(MEBIBYTE), connections=16, baselines=FLOOR, goal=Goal(1.0, 1.0),
    ),
    Scenario(
        "download", "1 MiB out", "download", MEBIBYTE,
        connections=16, baselines=FLOOR, goal=Goal(1.2, 1.0, tail=2.0),
    ),
    Scenario(
        "connect", "a new connection for each request", "hello", HELLO,
        headers=(("Connection", "close"),), baselines=FLOOR_AND_NGINX, goal=Goal(1.3),
    ),
    Scenario("access_log", "a bare GET, without and with an access log", "hello", HELLO, logged=True),
)  # fmt: skip


AnyScenario = TypeVar("AnyScenario", bound=Scenario)


def select(names: Iterable[str]) -> list[Scenario]:
    """The scenarios of these names, in the table's order; all of them if there are no names.

    Raises ValueError, with the closest match, for a name that is not in the table.
    """
    return select_from(SCENARIOS, names)


def select_from(scenarios: Sequence[AnyScenario], names: Iterable[str]) -> list[AnyScenario]:
    """As :func:`select`, from another table."""
    wanted = list(names)
    known = {scenario.name: scenario for scenario in scenarios}
    for name in wanted:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
            raise ValueError(f"there is no scenario {name!r}: {hint}")
    return [scenario for scenario in scenarios if not wanted or scenario.name in wanted]
