"""Which applications run which endpoint, and how they are started."""

from __future__ import annotations

import pytest

from bench.side_by_side import rounds
from bench.side_by_side.servers import Job
from bench.side_by_side.web import __main__ as command_line
from bench.side_by_side.web.endpoints import ENDPOINTS
from bench.side_by_side.web.frameworks import FRAMEWORKS, TITLES, select

TEXT, USER, PAGE, ORDER, PIPELINED, FIVE = ENDPOINTS


def labels(endpoint):
    return {one.label for one in rounds.variants(endpoint, FRAMEWORKS)}


def command(name, endpoint, tmp_path):
    (server,) = select([name])
    return server.command(Job(endpoint, 4173, tmp_path))


def test_every_line_has_a_title():
    assert set(TITLES) == {server.name for server in FRAMEWORKS}


def test_what_only_explains_one_endpoint_comes_only_there():
    frameworks = {"atlas", "atlas-async", "atlas-asgi", "blacksheep", "falcon", "starlette", "litestar", "fastapi"}
    everywhere = frameworks | {"starlette-on-atlas", "floor"}
    assert labels(USER) == labels(PAGE) == labels(ORDER) == everywhere
    assert labels(TEXT) == labels(PIPELINED) == everywhere | {"uvicorn"}
    assert labels(FIVE) == everywhere | {"atlas-bare", "starlette-pure"}


@pytest.mark.parametrize(
    ("name", "endpoint", "target"),
    [
        ("atlas", FIVE, "web.apps.atlas:five"),
        ("atlas-async", ORDER, "web.apps.atlas_async:order"),
        ("atlas-bare", FIVE, "web.apps.atlas:text"),
        ("starlette", PIPELINED, "web.apps.starlette:text"),
        ("starlette-pure", FIVE, "web.apps.starlette:five_pure"),
        ("starlette-on-atlas", USER, "web.apps.starlette:user"),
    ],
)
def test_a_line_serves_its_own_application(name, endpoint, target, tmp_path):
    words = command(name, endpoint, tmp_path)
    assert f"bench.side_by_side.{target}" in words
    assert {"--factory", "--no-access-log"} <= set(words)
    assert words[words.index("--port") + 1] == "4173"
    assert words[2] == ("atlas" if "atlas" in name else "uvicorn")


def test_uvicorn_without_a_framework_serves_the_raw_application(tmp_path):
    assert "bench.side_by_side.apps:hello" in command("uvicorn", TEXT, tmp_path)


def test_the_plain_gateway_is_asked_for(tmp_path):
    words = command("atlas-asgi", TEXT, tmp_path)
    assert words[words.index("--interface") + 1] == "asgi"
    assert "--interface" not in command("atlas", TEXT, tmp_path)


def test_filters():
    chosen = command_line.parse(["--only", "order, text", "--servers", "floor,atlas"])
    assert [endpoint.name for endpoint in chosen.endpoints] == ["text", "order"]
    assert [server.name for server in chosen.peers] == ["atlas", "floor"]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [(["--only", "pages"], "did you mean 'page'?"), (["--servers", "flask"], "known are atlas, atlas-async")],
)
def test_a_wrong_name_gets_a_hint(arguments, hint, capsys):
    with pytest.raises(SystemExit):
        command_line.parse(arguments)
    assert hint in capsys.readouterr().err


def test_everything_takes_about_six_minutes():
    starts = command_line.ROUNDS * sum(len(rounds.variants(endpoint, FRAMEWORKS)) for endpoint in ENDPOINTS)
    assert starts * (command_line.SECONDS + command_line.OVERHEAD) < 6.5 * 60
