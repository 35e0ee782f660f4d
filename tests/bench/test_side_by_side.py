"""The command line, the scenarios and the command lines of the servers."""

from __future__ import annotations

import asyncio

import pytest

from bench.side_by_side import __main__ as command_line
from bench.side_by_side import apps, memory, options, scenarios, servers


def test_names_are_listed_with_commas_and_keep_the_tables_order():
    chosen = command_line.parse(["--only", "post, hello", "--servers", "floor,uvicorn"])
    assert [scenario.name for scenario in chosen.scenarios] == ["hello", "post"]
    assert [server.name for server in chosen.peers] == ["uvicorn", "floor"]
    assert (chosen.seconds, chosen.rounds) == (3, 5)


def test_quick_is_a_default_that_can_be_overruled():
    chosen = command_line.parse(["--quick", "--rounds", "1"])
    assert (chosen.seconds, chosen.rounds) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--only", "helo"], "did you mean 'hello'?"),
        (["--servers", "apache"], "known are atlas, uvicorn"),
        (["--add", "mine"], "expected NAME=COMMAND"),
        (["--add", "mine=serve {app}"], "expected NAME=COMMAND"),
    ],
)
def test_a_wrong_name_gets_a_hint(arguments, hint, capsys):
    with pytest.raises(SystemExit):
        command_line.parse(arguments)
    assert hint in capsys.readouterr().err


def test_one_more_server_can_be_given(tmp_path):
    chosen = command_line.parse(["--servers", "uvicorn", "--add", "mine=python -m mine '{app}' --port={port}"])
    mine = chosen.peers[-1]
    job = servers.Job(scenarios.SCENARIOS[0], 4173, tmp_path)
    assert mine.name == "mine"
    assert mine.command(job) == ["python", "-m", "mine", "bench.side_by_side.apps:hello", "--port=4173"]


def test_names_of_scenarios_are_unique_and_their_apps_exist():
    names = [scenario.name for scenario in scenarios.SCENARIOS]
    assert len(set(names)) == len(names)
    for scenario in scenarios.SCENARIOS:
        assert callable(getattr(apps, scenario.app))
        assert scenario.baselines <= {server.name for server in servers.SERVERS if server.baseline}


@pytest.mark.parametrize("scenario", scenarios.SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_app_gives_the_answer_that_its_scenario_expects(scenario):
    sent = []
    half = len(scenario.body) // 2
    events = [
        {"type": "http.request", "body": scenario.body[:half], "more_body": True},
        {"type": "http.request", "body": scenario.body[half:]},
    ]

    async def receive():
        return events.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(getattr(apps, scenario.app)({"type": "http"}, receive, send))
    assert sent[0]["status"] == 200
    assert b"".join(message["body"] for message in sent[1:]) == scenario.answer
    lengths = [int(value) for name, value in sent[0]["headers"] if name == b"content-length"]
    assert lengths in ([], [len(scenario.answer)])


@pytest.mark.parametrize("name", ["atlas", "uvicorn", "granian"])
def test_a_servers_command_names_app_port_and_log(name, tmp_path):
    (server,) = servers.select([name])
    scenario = scenarios.SCENARIOS[0]
    for logged, flag in ((False, "--no-access-log"), (True, "--access-log")):
        words = server.command(servers.Job(scenario, 4173, tmp_path, logged))
        assert "bench.side_by_side.apps:hello" in words
        assert words[words.index("--port") + 1] == "4173"
        assert flag in words


@pytest.mark.parametrize("name", ["h2corn", "gunicorn"])
def test_a_server_that_binds_an_address_is_told_app_and_log(name, tmp_path):
    (server,) = servers.select([name])
    words = server.command(servers.Job(scenarios.SCENARIOS[0], 4173, tmp_path))
    assert "bench.side_by_side.apps:hello" in words
    assert words[words.index("--bind") + 1] == "127.0.0.1:4173"
    assert words[words.index("--workers") + 1] == "1"
    logged = server.command(servers.Job(scenarios.SCENARIOS[0], 4173, tmp_path, logged=True))
    flags = {"h2corn": {"--access-log"}, "gunicorn": {"--access-logfile", "-"}}[name]
    assert flags <= set(logged)
    assert not flags & set(words)


def test_nginx_gets_a_configuration_with_the_answer(tmp_path):
    (nginx,) = servers.select(["nginx"])
    words = nginx.command(servers.Job(scenarios.SCENARIOS[0], 4173, tmp_path))
    text = (tmp_path / "nginx-4173.conf").read_text()
    assert words[-1] == str(tmp_path / "nginx-4173.conf")
    assert "listen 127.0.0.1:4173" in text
    assert 'return 200 "Hello, World!";' in text


def test_what_is_not_installed_is_skipped_with_a_line(capsys):
    here = servers.Server("here", lambda: None, lambda job: [])
    gone = servers.Server("gone", lambda: "apt install gone", lambda job: [])
    assert options.present([gone, here]) == [here]
    assert capsys.readouterr().out == "gone: not installed, skipped (apt install gone)\n"


def test_the_memory_table_has_ratios_to_the_base():
    costs = {"atlas": memory.Cost(2048, 1024, 2**20), "uvicorn": memory.Cost(8192, 8192, 2**21)}
    text = memory.render(costs, 4000, "uvicorn")
    (atlas,) = [line for line in text.splitlines() if line.strip().startswith("atlas")]
    assert "2.00  0.25x" in atlas
    assert "4,000" in text
