"""The metrics of a server: their names, units and labels."""

import os
import re

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse

from atlas._speedups.http.counters import BOUNDS
from atlas.server.metrics.exposition import OPENMETRICS, render
from atlas.server.metrics.families import WorkerNumbers, server_families, worker_families
from atlas.server.metrics.totals import Totals

READ = {
    "pid": 1,
    "due": 0.0,
    "lag": 0.0,
    "open": 5,
    "active": 2,
    "in_work": 3,
    "accepted": 9,
    "unmade": 1,
    "received": 100,
    "sent": 200,
    "timeouts": [1, 2, 3, 4, 5, 6],
    "refused": {"malformed": 7},
    "series": [("/users/{name}", "GET", [0, 3, 0, 1, 0, 0], [1, 2, *([0] * (len(BOUNDS) - 1))], 0.0035)],
}


def values(*workers: WorkerNumbers) -> dict[str, float]:
    totals = Totals()
    for worker in workers:
        totals.add(worker.read)
    families = [*server_families(totals, workers), *worker_families({"0": os.getpid()}, {"ready": 2}, 4)]
    found = parse(render(families, OPENMETRICS).decode())  # which also checks names, units and histograms
    return {
        each.name + "".join(f",{value}" for value in each.labels.values()): each.value
        for family in found
        for each in family.samples
    }


def test_all_metrics() -> None:
    found = values(WorkerNumbers("0", READ, 0.0), WorkerNumbers("1", READ, 0.0))
    assert found["atlas_http_requests_total,GET,/users/{name},2xx"] == 6
    assert found["atlas_http_requests_total,GET,/users/{name},4xx"] == 2
    assert "atlas_http_requests_total,GET,/users/{name},5xx" not in found
    assert found["atlas_http_request_duration_seconds_bucket,GET,/users/{name},0.001"] == 2
    assert found["atlas_http_request_duration_seconds_bucket,GET,/users/{name},0.0025"] == 6
    assert found["atlas_http_request_duration_seconds_bucket,GET,/users/{name},+Inf"] == 6
    assert found["atlas_http_request_duration_seconds_sum,GET,/users/{name}"] == 0.007
    assert found["atlas_http_requests_in_progress"] == 6
    assert found["atlas_http_requests_refused_total,malformed"] == 14
    assert (found["atlas_connections,active"], found["atlas_connections,idle"]) == (4, 6)
    assert (found["atlas_connections_accepted_total"], found["atlas_connections_failed_total"]) == (18, 2)
    assert (found["atlas_received_bytes_total"], found["atlas_sent_bytes_total"]) == (200, 400)
    assert found["atlas_timeouts_total,keep_alive"] == 6
    assert (found["atlas_workers,ready"], found["atlas_worker_restarts_total"]) == (2, 4)
    assert found["atlas_memory_bytes,0,rss"] > 0


def test_a_loop_that_is_late_at_this_moment() -> None:
    late = WorkerNumbers("0", READ | {"due": 10.0, "lag": 0.5}, 12.0)
    on_time = WorkerNumbers("1", READ | {"due": 12.1, "lag": 0.5}, 12.0)
    unknown = WorkerNumbers("2", READ, 12.0)
    found = values(late, on_time, unknown)
    assert [found[f"atlas_event_loop_lag_seconds,{name}"] for name in "012"] == [2.0, 0.5, 0.0]


def test_a_group_without_durations_has_no_histogram() -> None:
    series = [("(server)", "GET", [0, 0, 0, 1, 0, 0], [0] * (len(BOUNDS) + 1), 0.0)]
    found = values(WorkerNumbers("0", READ | {"series": series}, 0.0))
    assert found["atlas_http_requests_total,GET,(server),4xx"] == 1
    assert not [name for name in found if re.match("atlas_http_request_duration", name)]
