"""Who listens to a thread is told when somebody has written in it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Bells:
    """A bell for everyone who listens. It only says that there is something new; what that is, the database knows.

    They hang in this process. A forum with several workers would ring them by what it has between these: a message
    queue, or a table that each worker looks at now and then.
    """

    def __init__(self) -> None:
        self._bells: dict[int, set[asyncio.Event]] = {}

    @contextmanager
    def listening(self, thread: int) -> Iterator[asyncio.Event]:
        """A bell that rings, from now on, for each new post of a thread."""
        bell = asyncio.Event()
        self._bells.setdefault(thread, set()).add(bell)
        try:
            yield bell
        finally:
            bells = self._bells[thread]
            bells.discard(bell)
            if not bells:
                del self._bells[thread]

    def ring(self, thread: int) -> None:
        """There is something new in a thread."""
        for bell in self._bells.get(thread, ()):
            bell.set()

    def __len__(self) -> int:
        """How many listen."""
        return sum(len(bells) for bells in self._bells.values())
