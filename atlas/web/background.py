"""Work after the last byte of a response."""

from __future__ import annotations

from contextvars import ContextVar

from atlas.gateway.jobs import Job, Jobs
from atlas.types import Scope

__all__ = ["Background", "enter"]

_SECONDS_AT_THE_END = 30.0
_JOBS, _DONE = "atlas.background", "atlas.done"

# The scope of the current request is where its jobs wait: most requests have none, and pay for no list.
_SCOPE: ContextVar[Scope | None] = ContextVar("atlas.scope", default=None)
enter = _SCOPE.set
"""A request begins."""


class Background:
    """The background jobs of an application: those of a request start when its response is out."""

    def __init__(self) -> None:
        self._jobs = Jobs()

    def leave(self, scope: Scope) -> None:
        """The response to a request is out, or has failed."""
        scope[_DONE] = True
        if _JOBS in scope:
            for job in scope.pop(_JOBS):
                self._jobs.start(job)

    def add(self, job: Job) -> None:
        """Run a job: after the current response, or soon if there is none."""
        scope = _SCOPE.get()
        if scope is None or _DONE in scope:
            self._jobs.start(job)
        else:
            scope.setdefault(_JOBS, []).append(job)

    async def drain(self) -> None:
        """Wait for what is still to be done; at shutdown."""
        await self._jobs.drain(_SECONDS_AT_THE_END)
