"""The floor does nothing, but it does it right."""

from __future__ import annotations

import shutil
import socket
import tempfile
from pathlib import Path

import pytest

from bench.side_by_side import client, servers
from bench.side_by_side.processes import free_port, running
from bench.side_by_side.scenarios import SCENARIOS, Scenario, select

pytestmark = pytest.mark.skipif(
    not (shutil.which("cc") and Path("/proc/self/stat").exists()), reason="needs Linux and a C compiler"
)

(FLOOR,) = servers.select(["floor"])
INVITED = [scenario for scenario in SCENARIOS if "floor" in scenario.baselines]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("floor")


def started(scenario: Scenario, directory: Path, complaints):
    port = free_port()
    command = FLOOR.command(servers.Job(scenario, port, directory))
    return running(command, port, core=None, environment={}, complaints=complaints)


@pytest.mark.parametrize("scenario", INVITED, ids=lambda scenario: scenario.name)
def test_it_answers_every_scenario_it_is_invited_to(scenario, directory):
    with tempfile.TemporaryFile() as complaints, started(scenario, directory, complaints) as server:
        client.check(scenario, server.port, body_length_only=True)


@pytest.mark.parametrize("name", ["hello", "post"])
def test_requests_may_come_byte_by_byte(name, directory):
    (scenario,) = select([name])
    with tempfile.TemporaryFile() as complaints, started(scenario, directory, complaints) as server:
        request = client.request_bytes(scenario, server.port)
        with socket.create_connection((client.HOST, server.port), timeout=10) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in request:
                connection.sendall(bytes([byte]))
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as stream:
                assert len(client.read_answer(stream).body) == len(scenario.answer)
                assert stream.read() == b"", "one request, one answer"
