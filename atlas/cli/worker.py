"""``atlas worker``: the command of a worker process, which :mod:`atlas.server.workers.supervisor` runs."""

from __future__ import annotations

import click

__all__ = ["command"]


def command() -> click.Command:
    """Return the command. Its argument is the descriptor of the worker's end of a socket pair."""
    return click.Command("worker", callback=_work, params=[click.Argument(["fd"], type=int)], hidden=True)


def _work(fd: int) -> None:
    from atlas.server.workers.worker import serve_as_worker  # imported here: the other commands do not need it

    ctx = click.get_current_context()
    seconds = serve_as_worker(fd)
    if callable(ctx.obj):
        ctx.obj(seconds)
