"""Command lines of uvicorn are command lines of ``atlas serve``: the settings are those that uvicorn reads."""

from __future__ import annotations

import os
import shlex
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import pytest

from atlas.cli.program import execute
from atlas.cli.settings_flags import _as_switches, load
from atlas.server.configuration.load_settings import LoadedSettings
from atlas.server.configuration.settings import Settings, settings_table
from atlas.server.configuration.uvicorn_settings import IGNORED, RENAMED

LINES = """
main:app
main:app --reload
main:app --host 0.0.0.0 --port 80
main:create_app --factory --port 0
--factory shop.main:create_app --app-dir src --reload --reload-dir src --reload-dir templates
main:app --reload --reload-include '*.yaml' --reload-include .env --reload-exclude 'tests/*' --reload-delay 0.5
main:app --uds /run/site.sock --proxy-headers --forwarded-allow-ips '*'
main:app --fd 3 --workers 4
main:app --workers=4 --limit-max-requests 10000 --limit-max-requests-jitter 500
main:app --workers=4 --timeout-graceful-shutdown 20 --timeout-worker-healthcheck 10
main:app --env-file .env --log-level warning --no-access-log --no-use-colors
main:app --log-config logging.json --use-colors --access-log
main:app --root-path /api/v1 --header 'X-Frame-Options: DENY' --header Server:site --no-server-header --no-date-header
main:app --limit-concurrency 500 --backlog 4096 --timeout-keep-alive 65 --h11-max-incomplete-event-size 65536
main:app --ssl-keyfile key.pem --ssl-certfile cert.pem --ssl-keyfile-password hush --ssl-version 17
main:app --ssl-certfile cert.pem --ssl-ca-certs ca.pem --ssl-cert-reqs 2 --ssl-ciphers 'ECDHE+AESGCM'
main:app --loop uvloop --http httptools --ws websockets --lifespan on --interface asgi3
main:app --loop asyncio --http h11 --lifespan off --no-proxy-headers --reset-contextvars
main:app --forwarded-allow-ips 10.0.0.0/8,127.0.0.1 --host :: --port 8443
main:app --http auto --interface auto --loop auto --ws auto --lifespan auto --log-level info
main:app --http zttp --http2 --ssl-certfile cert.pem --ssl-keyfile key.pem
""".strip().splitlines()

VARIABLES = [
    {"UVICORN_APP": "main:app", "UVICORN_PORT": "9", "UVICORN_HOST": "::1", "UVICORN_WORKERS": "3"},
    {"UVICORN_APP": "main:app", "UVICORN_RELOAD": "1", "UVICORN_RELOAD_DIRS": "src:templates"},
    {"UVICORN_APP": "main:app", "UVICORN_HEADERS": "X-A:1 X-B:2", "UVICORN_ACCESS_LOG": "false"},
    {"UVICORN_APP": "main:app", "UVICORN_LOG_LEVEL": "debug", "UVICORN_FACTORY": "true", "UVICORN_LOOP": "asyncio"},
    {"UVICORN_APP": "main:app", "UVICORN_RELOAD": "true", "UVICORN_RELOAD_INCLUDES": "*.html *.css"},
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("ATLAS_", "UVICORN_"))]:
        monkeypatch.delenv(name)
    for name in ("src", "templates", "tests"):
        (tmp_path / name).mkdir()
    (tmp_path / ".env").write_text("")
    (tmp_path / "logging.json").write_text('{"version": 1}')
    return tmp_path


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Settings]]:
    """What would have been served."""
    calls: list[tuple[str, Settings]] = []

    def run(app: str, settings: Settings) -> None:
        calls.append((app, settings))

    def serve_and_reload(load: Callable[[], LoadedSettings], environ: Mapping[str, str]) -> None:
        loaded = load()
        run(loaded.app or "", loaded.settings)

    for name, function in (("run", run), ("reload.reloader", serve_and_reload)):
        module = types.ModuleType(f"atlas.server.{name}")
        setattr(module, function.__name__, function)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return calls


def read_by_uvicorn(arguments: list[str]) -> dict[str, Any]:
    """What uvicorn reads from a command line and the environment, without defaults."""
    from uvicorn.main import main

    ctx = main.make_context("uvicorn", list(arguments))
    given = (click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.ENVIRONMENT)
    return {name: value for name, value in ctx.params.items() if ctx.get_parameter_source(name) in given}


def check_same(given: dict[str, Any], target: str, settings: Settings) -> None:
    for name, value in given.items():
        if name == "app":
            assert target == value
        elif name not in IGNORED:
            field = RENAMED.get(name, name)
            assert getattr(settings, field) == settings_table()[field].check(value), name


@pytest.mark.parametrize("line", LINES)
def test_a_command_line_of_uvicorn(folder: Path, served: list[tuple[str, Settings]], line: str) -> None:
    arguments = shlex.split(line)
    assert execute(["serve", *arguments]) == 0
    check_same(read_by_uvicorn(arguments), *served[0])


@pytest.mark.parametrize("variables", VARIABLES)
def test_variables_of_uvicorn(
    folder: Path, served: list[tuple[str, Settings]], variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    assert execute(["serve"]) == 0
    given = read_by_uvicorn([])
    assert len(given) == len(variables)
    check_same(given, *served[0])


def test_the_log_says_what_became_of_a_setting_of_uvicorn(
    folder: Path, served: list[tuple[str, Settings]], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UVICORN_PORT", "9")
    assert execute(["serve", "main:app", "--http", "h11"]) == 0
    assert capfd.readouterr().err.splitlines() == [
        "INFO:     --http has no effect: Atlas has one HTTP parser",
        "INFO:     UVICORN_PORT is used as --port 9",
    ]


@pytest.mark.parametrize(
    ("kind", "hint"), [("wsgi", "a2wsgi.WSGIMiddleware() converts WSGI to ASGI"), ("asgi2", "asgiref.compatibility.")]
)
def test_an_interface_that_has_an_adapter(
    folder: Path, capsys: pytest.CaptureFixture[str], kind: str, hint: str
) -> None:
    assert execute(["serve", "main:app", "--interface", kind]) == 2
    assert f"got '{kind}': {hint}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "switches"),
    [
        (["--ws-per-message-deflate", "false", "main:app"], ["--no-ws-per-message-deflate", "main:app"]),
        (["--ws-per-message-deflate=0"], ["--no-ws-per-message-deflate"]),
        (["main:app", "--ws-per-message-deflate", "True"], ["main:app", "--ws-per-message-deflate"]),
        (["--ws-per-message-deflate", "main:app"], ["--ws-per-message-deflate", "main:app"]),
        (["--ws-per-message-deflate"], ["--ws-per-message-deflate"]),
        (["--header", "false", "--port=1"], ["--header", "false", "--port=1"]),
    ],
)
def test_a_switch_with_a_value(arguments: list[str], switches: list[str]) -> None:
    assert list(_as_switches(arguments)) == switches


def test_the_flags_of_uvicorn_are_not_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["serve", "--help"]) == 0
    assert "--http" not in capsys.readouterr().out


def test_the_env_file_is_named_as_the_source(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATLAS_SERVE_PORT", "")  # so that it is restored afterwards
    monkeypatch.delenv("ATLAS_SERVE_PORT")
    monkeypatch.setenv("ATLAS_SERVE_HOST", "::1")
    (folder / ".env").write_text("ATLAS_SERVE_PORT=5\nATLAS_SERVE_HOST=::2\n")
    loaded = load("main:app", {"env_file": ".env"})
    assert (loaded.settings.port, loaded.settings.host) == (5, "::1")
    assert loaded.origins["port"] == "ATLAS_SERVE_PORT in .env"
    assert loaded.origins["host"] == "ATLAS_SERVE_HOST"
