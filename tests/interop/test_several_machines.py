"""Two servers of two workers each behind HAProxy share sessions, rates and a cache in Redis."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from .proxies import haproxy

pytestmark = pytest.mark.slow

APP = """
import os
from atlas import Application, Cache, RateLimit, Route, Sessions
from atlas.redis import RedisStore

store = RedisStore(os.environ["REDIS"], prefix="shop:")
cache = Cache(store)

def count(request):
    request.session["n"] = request.session.get("n", 0) + 1
    return {"n": request.session["n"], "pid": os.getpid()}

def report(request):
    return cache.get_or_set("report", lambda: {"pid": os.getpid()})

def logout(request):
    request.session.clear()
    return "out"

limit = RateLimit("50/hour", key=lambda request: "all", store=store)
app = Application(
    [Route("/", count), Route("/report", report), Route("/limited", lambda request: "page", middleware=[limit]),
     Route("/logout", logout)],
    middleware=[Sessions("0123456789abcdef0123456789abcdef", store, secure=False)],
)
"""


@contextlib.contextmanager
def served(folder: Path, redis: str) -> Iterator[int]:
    """Run ``atlas serve`` with two workers; yields its port."""
    (folder / "shared_state.py").write_text(APP)
    process = subprocess.Popen(
        [sys.executable, "-m", "atlas", "serve", "shared_state:app", "--port", "0", "--workers", "2"],
        cwd=folder,
        env={**os.environ, "REDIS": redis, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines = []
    try:
        for line in process.stderr:
            lines.append(line)
            if match := re.search(r"serving on http://127\.0\.0\.1:(\d+)", line):
                yield int(match[1])
                break
        else:
            raise AssertionError("".join(lines))
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0


@pytest.fixture
def site(tmp_path: Path, redis_server: Any) -> Iterator[str]:
    with (
        served(tmp_path, redis_server.url) as first,
        served(tmp_path, redis_server.url) as second,
        haproxy(tmp_path, first, second) as port,  # it says that it has taken TLS off: hence secure=False
    ):
        yield f"http://127.0.0.1:{port}"


def test_the_state_is_the_same_everywhere(site: str) -> None:
    with httpx.Client(base_url=site) as client:
        # A connection for each request, so that HAProxy and the kernel choose a worker each time.
        answers = [client.get("/", headers={"connection": "close"}).json() for _ in range(24)]
        assert [answer["n"] for answer in answers] == list(range(1, 25))
        assert len({answer["pid"] for answer in answers}) >= 2
        before = dict(client.cookies)
        client.get("/logout")
        assert not client.cookies
        assert client.get("/", cookies=before).json()["n"] == 1

    def ask(path: str) -> httpx.Response:
        return httpx.get(site + path)

    with ThreadPoolExecutor(8) as pool:
        statuses = Counter(answer.status_code for answer in pool.map(ask, ["/limited"] * 60))
        assert statuses == {200: 50, 429: 10}
        reports = {answer.text for answer in pool.map(ask, ["/report"] * 24)}
        assert len(reports) == 1
