"""Fixtures of the benchmarks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import atlas
from bench.in_memory import Link, serving

Connect = Callable[..., Link]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """``connect(app, **settings)`` serves an application in memory during the test, and returns a connection to it."""
    with ExitStack() as stack:

        def start(app: Any, **settings: Any) -> Link:
            return Link(stack.enter_context(serving(app, **settings)))

        yield start


def pytest_configure() -> None:
    """In a regression run, make sure that it is the right tree whose Atlas is measured."""
    if (expected := os.environ.get("BENCH_TREE")) and not Path(atlas.__file__).is_relative_to(expected):
        pytest.exit(f"expected the package atlas in {expected}, got {atlas.__file__}", returncode=3)
