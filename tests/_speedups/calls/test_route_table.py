from typing import Any

import pytest

from atlas._speedups.calls.handlers import Handler, RouteTable, RunMode
from atlas._speedups.calls.router import RouteTree


class App:
    pass


def filled() -> tuple[RouteTable, Handler, Handler, Handler]:
    one, two, missing = (Handler(print, run_mode) for run_mode in (RunMode.INLINE, RunMode.ASYNC, RunMode.GREENLET))
    table = RouteTable(App(), int, str)
    table.fill(RouteTree([((b"/a",), {"GET": "route"})]), {"route": (one, two)}, missing)
    return table, one, two, missing


def test_it_finds_the_route_and_its_handlers() -> None:
    table, with_body, without_body, missing = filled()
    assert table.match("GET", b"/a") == ("route", ())
    assert table.match("GET", b"/b") is None
    assert table.get_handler("route", True) is with_body
    assert table.get_handler("route", False) is without_body
    assert table.get_handler(None, False) is missing
    with pytest.raises(KeyError):
        table.get_handler("another", False)


def test_until_it_is_filled_it_finds_nothing() -> None:
    table, *_ = filled()
    assert table.is_ready
    table.clear()
    assert not table.is_ready
    assert table.match("GET", b"/a") is None
    fresh: Any = RouteTable(App(), int, str)
    assert (fresh.is_ready, fresh.match("GET", b"/a")) == (False, None)


def test_without_a_tree_it_finds_nothing() -> None:
    table, one, two, missing = filled()
    table.fill(None, {"route": (one, two)}, missing)
    assert (table.is_ready, table.match("GET", b"/a")) == (True, None)
