"""A short, deterministic run of the corpus for WebSockets, and of some mutations of it."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from .mutation import mutate
from .target import KNOBS
from .websocket_target import Bench

CORPUS = sorted(Path(__file__).with_name("corpus_websocket").iterdir())


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
    for application in range(8):
        for cut in (0, 1, 7, 130):
            for ending in (0, 1, 2, 4, 8, 9):
                bench.run(bytes([application, cut, ending]) + data[KNOBS:])


@pytest.mark.parametrize("seed", range(8))
def test_mutations(bench: Bench, seed: int) -> None:
    chance = random.Random(seed)
    seeds = [path.read_bytes() for path in CORPUS]
    for _ in range(150):
        bench.run(mutate(chance.choice(seeds), chance.choice(seeds), chance))


def test_the_target_reads_messages(bench: Bench) -> None:
    run = bench.run(b"\2\x08\x08\x81\x82\0\0\0\0hi\x88\x80\0\0\0\0")
    assert [event["type"] for event in run.events] == ["websocket.receive", "websocket.disconnect"]
    assert run.written.endswith(b"\x81\x02hi\x88\x00")
