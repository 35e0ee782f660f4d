"""Long lists, page by page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from atlas import AsyncRequest, NotFound, Request


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a list: page ``number``, counted from 1, of pages with ``size`` items."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size

    @classmethod
    def of(cls, request: Request | AsyncRequest, size: int) -> Window:
        """Return the window that ``?page=`` selects.

        :raises NotFound: if it is not the number of a page.
        """
        text = request.query.get("page", "1")
        if re.fullmatch("[1-9][0-9]{0,5}", text) is None:
            raise NotFound("There is no such page.")
        return cls(int(text), size)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: its items, its window, and the length of the list."""

    items: Sequence[Any]
    window: Window
    total: int

    @property
    def number(self) -> int:
        return self.window.number

    @property
    def last(self) -> int:
        """The number of the last page, at least 1."""
        return max(1, ceil(self.total / self.window.size))

    def or_not_found(self) -> Page:
        """Return the page.

        :raises NotFound: if it is after the last page.
        """
        if self.number > self.last:
            raise NotFound(f"There are only {self.last} pages here." if self.last > 1 else "There is only one page.")
        return self

    def numbers(self) -> Iterator[int | None]:
        """Yield the pages to link: the first, the last and the neighbours of this one; None for a gap."""
        before = 0
        for number in range(1, self.last + 1):
            if number in (1, self.last) or abs(number - self.number) <= 1:
                if number != before + 1:
                    yield None
                before = number
                yield number


def linked(page: Page, address: Callable[[int], str]) -> dict[str, str]:
    """Return the header field ``link`` (RFC 8288) with the previous and the next page."""
    links = []
    if page.number > 1:
        links.append(f'<{address(page.number - 1)}>; rel="prev"')
    if page.number < page.last:
        links.append(f'<{address(page.number + 1)}>; rel="next"')
    return {"link": ", ".join(links)} if links else {}
