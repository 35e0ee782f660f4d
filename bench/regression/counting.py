"""A pytest plugin whose fixture ``benchmark`` has instructions counted instead of time.

The process runs under callgrind. The process that started it switches counting on and off, so that this work is not
counted; the two speak over a pair of pipes.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

WARM_UP = 100  # calls: the interpreter specialises its bytecode, pools fill up, dicts reach their size


class InstructionCounter:
    """As much of pytest-benchmark's fixture as the benchmarks use."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.group = ""
        readable, writable, calls = os.environ["BENCH_COUNTING"].split(",")
        self._readable, self._writable, self._calls = int(readable), int(writable), int(calls)

    def __call__(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call the function, have N and then 2N calls counted, and return the last result."""

        def run(times: int) -> Any:
            result = None
            for _ in range(times):
                result = function(*arguments, **options)
            return result

        run(WARM_UP)
        self._say("on")
        run(10)
        self._say("dump")
        run(self._calls)
        self._say("dump")
        result = run(2 * self._calls)
        self._say("dump")
        self._say(f"done {self.name}")
        return result

    def _say(self, line: str) -> None:
        os.write(self._writable, f"{line}\n".encode())
        os.read(self._readable, 1)


@pytest.fixture
def benchmark(request: pytest.FixtureRequest) -> Iterator[InstructionCounter]:
    """Count the instructions of what it is called with."""
    gc.collect()
    gc.disable()
    yield InstructionCounter(request.node.nodeid)
    gc.enable()
