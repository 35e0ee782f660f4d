"""A short, deterministic run of the fuzzer's corpus, and of some mutations of it."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from .mutation import mutate
from .target import APPLICATIONS, KNOBS, Bench

CORPUS = sorted(Path(__file__).with_name("corpus").iterdir())


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    logging.disable(logging.CRITICAL)
    bench = Bench()
    yield bench
    bench.close()
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_corpus(bench: Bench, path: Path) -> None:
    data = path.read_bytes()
    bench.run(data)
    for application in range(len(APPLICATIONS)):
        for cut in (0, 1, 7, 130):
            for ending in (0, 1, 2, 4, 8, 9):
                bench.run(bytes([application, cut, ending]) + data[KNOBS:])


@pytest.mark.parametrize("seed", range(8))
def test_mutations(bench: Bench, seed: int) -> None:
    chance = random.Random(seed)
    seeds = [path.read_bytes() for path in CORPUS]
    for _ in range(150):
        bench.run(mutate(chance.choice(seeds), chance.choice(seeds), chance))


def test_the_target_reads_requests(bench: Bench) -> None:
    """The target itself works: a good request is called and answered, a bad one refused."""
    run = bench.run(b"\0\0\0POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloBAD\r\n\r\n")
    assert [(call.scope["raw_path"], call.body, call.complete) for call in run.calls] == [(b"/a", b"hello", True)]
    assert run.written.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\n\r\nhelloHTTP/1.1 " in run.written
