"""Work after the last byte of a response."""

from __future__ import annotations

from contextvars import ContextVar

from atlas._speedups.calls.request import RequestData
from atlas.gateway.jobs import Job, Jobs

__all__ = ["CURRENT", "Background"]

_SECONDS_AT_THE_END = 30.0

CURRENT: ContextVar[RequestData | None] = ContextVar("atlas.request", default=None)
"""The current request. Its jobs wait in it: most requests have none, and pay for no list."""


class Background:
    """The background jobs of an application: those of a request start when its response is out."""

    def __init__(self) -> None:
        self._jobs = Jobs()

    def start(self, request: RequestData) -> None:
        """Start the jobs of a request that is over."""
        jobs, request._jobs = request._jobs or (), None
        for job in jobs:
            self._jobs.start(job)

    def add(self, job: Job) -> None:
        """Run a job: after the current response, or soon if there is none."""
        request = CURRENT.get()
        if request is None or request._over:
            self._jobs.start(job)
        elif request._jobs is None:
            request._jobs = [job]
        else:
            request._jobs.append(job)

    async def drain(self) -> None:
        """Wait for what is still to be done; at shutdown."""
        await self._jobs.drain(_SECONDS_AT_THE_END)
