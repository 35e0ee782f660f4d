"""The memory of an idle keep-alive connection.

Thousands of them stay open after one request each; the growth of the server's process tree is divided by their number.
Only the memory of the processes is counted; the kernel's share of a socket is the same for all servers.
"""

from __future__ import annotations

import resource
import select
import socket
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.side_by_side import client, scenarios
from bench.side_by_side.client import HOST, WrongAnswer, read_answer, request_bytes
from bench.side_by_side.processes import Running, StartFailed
from bench.side_by_side.rounds import Plan, Variant, started
from bench.side_by_side.servers import Server
from bench.side_by_side.table import bar, multiple

WARM_UP = 64  # connections that are opened and closed first: what a server allocates once is not a connection's cost
SPARE_DESCRIPTORS = 200


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes per connection, resident and proportional, and the tree's resident bytes before any was open."""

    rss: float
    pss: float
    before: int


def raise_descriptor_limit(wanted: int) -> int:
    """Raise the soft limit of open files, which servers inherit, as far as the hard one lets us; what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= limit:
        return wanted if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit


def ask_each(stack: ExitStack, port: int, count: int) -> list[socket.socket]:
    """Open connections one after another, each with one request and its answer, and leave them open."""
    request = request_bytes(scenarios.SCENARIOS[0], port)
    connections = []
    for _ in range(count):
        connection = stack.enter_context(socket.create_connection((HOST, port), timeout=10))
        connection.sendall(request)
        with connection.makefile("rb") as stream:
            read_answer(stream)
        connections.append(connection)
    return connections


def closed(connections: Sequence[socket.socket]) -> int:
    """How many of these connections the server has closed: an idle one is readable only then."""
    poll = select.poll()
    for connection in connections:
        poll.register(connection, select.POLLIN)
    return len(poll.poll(0))


def cost(server: Running, count: int) -> Cost:
    """Measure one server. Raises WrongAnswer if it did not keep the connections open."""
    client.check(scenarios.SCENARIOS[0], server.port)
    with ExitStack() as warm_up:
        ask_each(warm_up, server.port, WARM_UP)
    with ExitStack() as stack:
        rss, pss = server.memory()
        connections = ask_each(stack, server.port, count)
        rss_after, pss_after = server.memory()
        if gone := closed(connections):
            raise WrongAnswer(f"{gone} of {count} connections were closed by the server")
    return Cost((rss_after - rss) / count, (pss_after - pss) / count, rss)


def render(costs: dict[str, Cost], count: int, base: str) -> str:
    """The table; ratios to the base where it was measured."""
    most = max(cost.rss for cost in costs.values())
    reference = costs[base].rss if base in costs else None
    lines = [f"memory of an idle keep-alive connection ({count:,} of them, one request each)"]
    width = max(len(name) for name in costs)
    lines.append(f"  {'':{width}}  {'KiB each':>9} {'':>6}  {'PSS KiB':>8}  {'before, MiB':>11}")
    for name, one in costs.items():
        compared = one.rss / reference if reference else None
        share = one.rss / most if most > 0 else 0
        lines.append(
            f"  {name:{width}}  {one.rss / 1024:>9.2f} {multiple(compared):>6}  {one.pss / 1024:>8.2f}"
            f"  {one.before / 2**20:>11.1f}  {bar(share)}"
        )
    return "\n".join(lines)


def compare(servers: Sequence[Server], count: int, plan: Plan, base: str) -> int:
    """Measure all servers that are installed, and print the table."""
    limit = raise_descriptor_limit(count + SPARE_DESCRIPTORS)
    if limit < count + SPARE_DESCRIPTORS:
        count = limit - SPARE_DESCRIPTORS
        print(f"only {limit} files may be open (ulimit -Hn): {count} connections")
    scenario = scenarios.SCENARIOS[0]
    costs: dict[str, Cost] = {}
    with tempfile.TemporaryDirectory(prefix="side_by_side-") as directory:
        for server in servers:
            try:
                with started(Variant(server), scenario, plan.server_core, Path(directory)) as process:
                    costs[server.name] = cost(process, count)
            except (StartFailed, WrongAnswer, OSError) as error:
                print(f"{server.name}: left out, {error}")
    if costs:
        print(render(costs, count, base))
    return 0
