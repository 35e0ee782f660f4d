"""Work after the last byte of a response."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TypeAlias

from atlas.gateway.jobs import Job, Jobs

__all__ = ["Background", "Pending"]

_SECONDS_AT_THE_END = 30.0
# What a request has asked for; None as the last of it once the response is out.
Pending: TypeAlias = "list[Job | None]"
_PENDING: ContextVar[Pending | None] = ContextVar("atlas.background", default=None)


class Background:
    """The background jobs of an application: those of a request start when its response is out."""

    def __init__(self) -> None:
        self._jobs = Jobs()

    def enter(self, pending: Pending) -> Token[Pending | None]:
        """A request begins."""
        return _PENDING.set(pending)

    def leave(self, pending: Pending, token: Token[Pending | None]) -> None:
        """Its response is out, or has failed."""
        _PENDING.reset(token)
        for job in pending:
            if job is not None:
                self._jobs.start(job)
        pending.append(None)

    def add(self, job: Job) -> None:
        """Run a job: after the current response, or soon if there is none."""
        pending = _PENDING.get()
        if pending is None or (pending and pending[-1] is None):
            self._jobs.start(job)
        else:
            pending.append(job)

    async def drain(self) -> None:
        """Wait for what is still to be done; at shutdown."""
        await self._jobs.drain(_SECONDS_AT_THE_END)
