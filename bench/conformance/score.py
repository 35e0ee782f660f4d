"""Send a case to a server, and say whether the server accepted or refused it."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.conformance.corpus import Case

STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
SECONDS = 5.0  # for a response; a server that waits for more has not accepted the request
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server did: the statuses of its final responses, and whether it closed the connection."""

    statuses: tuple[int, ...]
    closed: bool

    @property
    def refused(self) -> bool:
        """Whether a response is an error, or there is none."""
        return not self.statuses or any(status >= 400 for status in self.statuses)

    def is_right(self, case: Case) -> bool:
        """A valid request is accepted; an invalid one is refused: by an error, or by a close without a response."""
        if case.valid:
            return bool(self.statuses) and self.statuses[0] < 400
        return self.refused and (self.closed or bool(self.statuses))

    def __str__(self) -> str:
        words = [*map(str, self.statuses), "closed" if self.closed else "open"]
        return " ".join(words)


def statuses(data: bytes) -> tuple[int, ...]:
    """The statuses of the final responses in what a server sent."""
    return tuple(status for each in STATUS.findall(data) if (status := int(each)) >= 200)


def ask(port: int, case: Case, seconds: float = SECONDS) -> Answer:
    """Send a case, and read until its outcome is known; at the end of the requests the client half-closes."""
    data = b""
    deadline = time.monotonic() + seconds
    half_close_at = time.monotonic() + seconds / 2
    half_closed = False
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        try:
            connection.sendall(case.data)
            while (now := time.monotonic()) < deadline:
                found = statuses(data)
                if found and (case.valid or max(found) >= 400):
                    return Answer(found, False)
                if now >= half_close_at and not half_closed:
                    half_closed = True
                    connection.shutdown(socket.SHUT_WR)
                connection.settimeout(max(0.01, (deadline if half_closed else half_close_at) - now))
                try:
                    piece = connection.recv(65536)
                except TimeoutError:
                    continue
                if not piece:
                    return Answer(statuses(data), True)
                data += piece
        except OSError:
            return Answer(statuses(data), True)
    return Answer(statuses(data), False)


def ask_all(port: int, cases: Sequence[Case], seconds: float = SECONDS) -> dict[str, Answer]:
    """Send all cases, some at a time, each on a connection of its own."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda case: ask(port, case, seconds), cases))
    return {case.name: answer for case, answer in zip(cases, answers, strict=True)}
