"""Sums over processes."""

from typing import Any

from atlas.server.metrics.totals import Totals


def read(**changes: Any) -> dict[str, Any]:
    numbers = {"accepted": 1, "unmade": 0, "received": 10, "sent": 20, "timeouts": [1, 0, 0, 0, 0, 2], "refused": {}}
    return numbers | {"series": []} | changes


def test_processes_are_added() -> None:
    totals = Totals()
    totals.add(read(refused={"limit": 1}, series=[("/", "GET", [0, 1], [1, 0], 0.5)]))
    totals.add(read(series=[("/", "GET", [0, 2], [0, 2], 1.0), ("/", "POST", [0, 1], [1, 0], 0.5)]))
    both = Totals()
    both.add_totals(totals)
    both.add_totals(totals)
    assert both.numbers == {"accepted": 4, "unmade": 0, "received": 40, "sent": 80}
    assert both.timeouts["request_head"] == 4
    assert both.timeouts["graceful_shutdown"] == 8
    assert both.refused == {"limit": 2}
    assert (both.series["/", "GET"].responses, both.series["/", "GET"].durations) == ([0, 6], [2, 4])
    assert both.series["/", "GET"].seconds == 3.0
    assert both.series["/", "POST"].responses == [0, 2]
    assert totals.series["/", "GET"].responses == [0, 3]
