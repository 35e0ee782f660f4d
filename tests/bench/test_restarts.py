"""Restarts under load lose no request, also through HAProxy; a killed worker loses what it had in hand."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bench.restarts import Load, Report, measure, serving
from tests.interop.proxies import haproxy

CLIENTS = 8


def run(folder: Path, *, through_haproxy: bool, restarts: int, kills: int) -> tuple[Report, int]:
    async def main() -> tuple[Report, int]:
        load = Load(front, CLIENTS)
        lost = await measure(process, port, log, load, restarts, kills)
        return await load.stop(), lost

    with serving(folder) as (process, port, log):
        if not through_haproxy:
            front = port
            return asyncio.run(main())
        with haproxy(folder, port) as front:
            return asyncio.run(main())


def test_a_restart_loses_no_request_and_a_killed_worker_few(tmp_path: Path) -> None:
    report, lost = run(tmp_path, through_haproxy=False, restarts=1, kills=2)
    assert lost == 0, report.lost
    assert len(report.lost) <= 2 * CLIENTS, report.lost
    assert report.answered > 0


def test_a_restart_loses_no_request_behind_haproxy(tmp_path: Path) -> None:
    report, lost = run(tmp_path, through_haproxy=True, restarts=1, kills=0)
    assert lost == 0
    assert not report.lost
    assert report.answered > 0
