"""Fixtures of all tests: running servers, tools of the machine, and a time-out for tests that hang."""

from __future__ import annotations

import faulthandler
import logging
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

HANG_SECONDS = 240.0
"""A test that takes longer hangs: the stacks of all threads are printed and the run ends."""

_stderr = os.dup(2)


def pytest_configure(config: pytest.Config) -> None:
    """Keep a way to the real stderr: pytest's capture is not in place at this moment."""
    os.environ.setdefault("ATLAS_TEMPLATE_CACHE", "off")  # tests write nothing into the folders of the user
    os.dup2(sys.__stderr__.fileno() if sys.__stderr__ else 2, _stderr)


class _HangTimer:
    """Ends the run when a test hangs.

    The timer of faulthandler needs no lock of Python, but is a thread: to start one for each test would cost more than
    most tests. It is set again only after some seconds, by which a test then has less time.
    """

    def __init__(self) -> None:
        self._set_at = -math.inf

    def set(self) -> None:
        now = time.monotonic()
        if now - self._set_at > HANG_SECONDS / 8:
            self._set_at = now
            faulthandler.dump_traceback_later(HANG_SECONDS, exit=True, file=_stderr)

    def cancel(self) -> None:
        if self._set_at > 0:
            self._set_at = -math.inf
            faulthandler.cancel_dump_traceback_later()


_hang_timer = _HangTimer()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    if sys.gettrace() is None:
        _hang_timer.set()
    else:  # a debugger may pause the test
        _hang_timer.cancel()


def pytest_sessionfinish() -> None:
    _hang_timer.cancel()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Escape lone surrogates in captured output: a report that crosses processes (xdist) has to be UTF-8."""
    report = yield
    report.sections = [
        (title, text.encode("utf-8", "backslashreplace").decode("utf-8")) for title, text in report.sections
    ]
    return report


@pytest.fixture(autouse=True)
def _loggers_as_they_were() -> Iterator[None]:
    """Undo what a test sets up for loggers: ``atlas serve`` those of Atlas, other frameworks the root logger."""
    loggers = [logging.getLogger(name) for name in ("", "atlas", "atlas.server", "atlas.access")]
    before = [(logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)


@pytest.fixture(scope="session")
def _redis_server() -> Iterator[Any]:
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    from tests.redis_server import RedisServer

    with RedisServer.running() as server:
        yield server


@pytest.fixture
def redis_server(_redis_server: Any) -> Any:
    """A Redis server without entries."""
    with _redis_server.client() as client:
        client.flushall()
    return _redis_server


Serve = Callable[..., Any]


def _starter(stack: ExitStack) -> Serve:
    from atlas import Server, Settings

    def start(app: Any, **settings: Any) -> Any:
        """Serve *app* in a thread on a free port until the fixture's scope ends; the running server comes back."""
        if "uds" not in settings:
            settings.setdefault("port", 0)
        settings.setdefault("access_log", False)
        settings.setdefault("lifespan", "off")
        settings.setdefault("timeout_graceful_shutdown", 1.0)
        return stack.enter_context(Server(app, Settings(**settings)).run_in_thread())

    return start


@pytest.fixture
def serve() -> Iterator[Serve]:
    """``serve(app, **settings)`` starts a server for this test; the lifespan is off unless asked for."""
    with ExitStack() as stack:
        yield _starter(stack)


@pytest.fixture(scope="session")
def serve_session() -> Iterator[Serve]:
    """As ``serve``, but the servers live as long as the whole run."""
    with ExitStack() as stack:
        yield _starter(stack)


@pytest.fixture(scope="module")
def serve_module() -> Iterator[Serve]:
    """As ``serve``, but the servers live as long as the module's tests."""
    with ExitStack() as stack:
        yield _starter(stack)


def _tool(*names: str) -> str:
    for name in names:
        if path := shutil.which(name):
            return path
    pytest.skip(f"{names[0]} is not installed on this machine")


@pytest.fixture(scope="session")
def curl() -> str:
    """The path of curl; the test is skipped where there is none."""
    return _tool("curl")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; the test is skipped where there is none."""
    return _tool("chromium", "chromium-browser", "google-chrome")
