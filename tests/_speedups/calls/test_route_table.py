from typing import Any

import pytest

from atlas._speedups.calls.handlers import Handler, RunMode
from atlas._speedups.calls.route_table import RouteTable
from atlas._speedups.calls.router import RouteTree


class App:
    pass


def filled() -> tuple[RouteTable, Handler, Handler, Handler]:
    one, two, missing = (Handler(print, run_mode) for run_mode in (RunMode.INLINE, RunMode.ASYNC, RunMode.GREENLET))
    dispatch = RouteTable(App(), int, str)
    dispatch.fill(RouteTree([((b"/a",), {"GET": "route"})]), {"route": (one, two)}, missing)
    return dispatch, one, two, missing


def test_it_finds_the_route_and_its_handlers() -> None:
    dispatch, with_body, without_body, missing = filled()
    assert dispatch.find("GET", b"/a") == ("route", ())
    assert dispatch.find("GET", b"/b") is None
    assert dispatch.handler_of("route", True) is with_body
    assert dispatch.handler_of("route", False) is without_body
    assert dispatch.handler_of(None, False) is missing
    with pytest.raises(KeyError):
        dispatch.handler_of("another", False)


def test_until_it_is_filled_it_finds_nothing() -> None:
    dispatch, *_ = filled()
    assert dispatch.is_ready
    dispatch.clear()
    assert not dispatch.is_ready
    assert dispatch.find("GET", b"/a") is None
    fresh: Any = RouteTable(App(), int, str)
    assert (fresh.is_ready, fresh.find("GET", b"/a")) == (False, None)


def test_without_a_tree_nobody_is_found_by_it() -> None:
    dispatch, one, two, missing = filled()
    dispatch.fill(None, {"route": (one, two)}, missing)
    assert (dispatch.is_ready, dispatch.find("GET", b"/a")) == (True, None)
