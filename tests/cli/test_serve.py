"""``atlas serve``: flags from the settings, errors in one line, and the exit status that fits."""

import dataclasses
import os
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest

from atlas.cli.program import execute
from atlas.cli.serve import command
from atlas.errors import LifespanError, StartupError
from atlas.server.configuration.load_settings import LoadedSettings, flag_name
from atlas.server.configuration.setting_types import Boolean
from atlas.server.configuration.settings import Settings, settings_table
from atlas.server.configuration.uvicorn_settings import IGNORED, RENAMED
from atlas.server.importer import load

Calls = list[tuple[str, Settings]]


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder without a pyproject.toml, and an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for name in settings_table():
        monkeypatch.delenv(f"ATLAS_SERVE_{name.upper()}", raising=False)
    return tmp_path


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    """What would have been served: the server is replaced by a list."""
    calls: Calls = []
    fake_server(monkeypatch, lambda app, settings: calls.append((app, settings)))
    return calls


def fake_server(monkeypatch: pytest.MonkeyPatch, run: Callable[[str, Settings], Any]) -> None:
    def serve_and_reload(load: Callable[[], LoadedSettings], environ: Mapping[str, str]) -> None:
        loaded = load()
        run(loaded.app or "", loaded.settings)

    fakes = [("run", "run", run), ("reload.reloader", "serve_and_reload", serve_and_reload)]
    for name, attribute, function in fakes:
        module = types.ModuleType(f"atlas.server.{name}")
        setattr(module, attribute, function)
        monkeypatch.setitem(sys.modules, module.__name__, module)


def test_without_flags(served: Calls) -> None:
    assert execute(["serve", "main:app"]) == 0
    assert served == [("main:app", Settings())]


def test_without_a_target(served: Calls) -> None:
    assert execute(["serve"]) == 0
    assert served[0][0] == ""


# A value for each flag, and what the settings make of it; a new setting fails here until it has one.
GIVEN: dict[str, tuple[str, Any]] = {
    "host": ("::1", "::1"),
    "port": ("0", 0),
    "uds": ("x.sock", "x.sock"),
    "uds_mode": ("0660", "660"),
    "fd": ("3", 3),
    "bind": ("127.0.0.1:0", ("127.0.0.1:0",)),
    "backlog": ("5", 5),
    "app_dir": ("sub", "sub"),
    "env_file": ("vars", "vars"),
    "interface": ("asgi", "asgi"),
    "lifespan": ("off", "off"),
    "root_path": ("/api", "/api"),
    "workers": ("4", 4),
    "workers_lifetime": ("3600", 3600.0),
    "workers_max_rss": ("512M", 512 * 1024**2),
    "timeout_drain": ("0", 0.0),
    "reload_dirs": ("src", ("src",)),
    "reload_includes": ("*.yaml", ("*.yaml",)),
    "reload_excludes": ("test_*", ("test_*",)),
    "reload_delay": ("0.5", 0.5),
    "timeout_worker_startup": ("5", 5.0),
    "timeout_worker_heartbeat": ("5", 5.0),
    "ssl_certfile": ("cert.pem", "cert.pem"),
    "ssl_keyfile": ("key.pem", "key.pem"),
    "ssl_keyfile_password": ("secret", "secret"),
    "ssl_certificates": ("A.test=a.pem,a.key", (("a.test", "a.pem", "a.key"),)),
    "ssl_ca_certs": ("ca.pem", "ca.pem"),
    "ssl_cert_reqs": ("2", "required"),
    "ssl_version": ("17", "1.2"),
    "ssl_ciphers": ("ECDHE+AESGCM", "ECDHE+AESGCM"),
    "timeout_tls_handshake": ("5", 5.0),
    "forwarded_allow_ips": ("10.0.0.0/8, unix", ("10.0.0.0/8", "unix")),
    "forwarded_fields": ("for,proto,host", ("for", "proto", "host")),
    "loop": ("asyncio", "asyncio"),
    "log_level": ("DEBUG", "debug"),
    "access_log_format": ("%(h)s", "%(h)s"),
    "log_format": ("JSON", "json"),
    "log_config": ("logs.ini", "logs.ini"),
    "log_file": ("server.log", "server.log"),
    "access_log_file": ("access.log", "access.log"),
    "metrics": ("127.0.0.1:9100", "127.0.0.1:9100"),
    "shutdown_delay": ("5", 5.0),
    "headers": ("X-A: 1", (("X-A", "1"),)),
    "ws": ("none", "none"),
    "ws_max_size": ("1M", 1048576),
    "ws_max_queue": ("8", 8),
    "ws_ping_interval": ("5", 5.0),
    "ws_ping_timeout": ("0", 0.0),
    "ws_deflate_window_bits": ("15", 15),
    "limit_concurrency": ("7", 7),
    "limit_connections": ("7", 7),
    "limit_max_requests": ("7", 7),
    "limit_max_requests_jitter": ("3", 3),
    "limit_threads": ("8", 8),
    "limit_threads_background": ("9", 9),
    "limit_threads_files": ("10", 10),
    "limit_request_line": ("4K", 4096),
    "limit_request_head": ("4K", 4096),
    "limit_request_fields": ("7", 7),
    "limit_request_field": ("4K", 4096),
    "limit_request_body": ("1M", 1048576),
    "min_request_body_rate": ("1K", 1024),
    "timeout_request_head": ("1.5", 1.5),
    "timeout_request_body": ("1.5", 1.5),
    "timeout_write": ("1.5", 1.5),
    "timeout_keep_alive": ("5", 5.0),
    "timeout_graceful_shutdown": ("0", 0.0),
}


@pytest.mark.parametrize(
    "name", [name for name, setting in settings_table().items() if not isinstance(setting.type, Boolean)]
)
def test_every_setting_is_a_flag(served: Calls, folder: Path, name: str) -> None:
    (folder / "vars").touch()
    text, value = GIVEN[name]
    assert execute(["serve", "main:app", flag_name(name), text]) == 0
    assert served[0][1] == dataclasses.replace(Settings(), **{name: value})


@pytest.mark.parametrize(
    "name", [name for name, setting in settings_table().items() if isinstance(setting.type, Boolean)]
)
@pytest.mark.parametrize("value", [True, False])
def test_every_switch_has_two_ways(served: Calls, name: str, value: bool) -> None:
    flag = flag_name(name) if value else flag_name(name).replace("--", "--no-")
    assert execute(["serve", "main:app", flag]) == 0
    assert served[0][1] == Settings(**{name: value})


def test_a_header_may_be_repeated(served: Calls) -> None:
    assert execute(["serve", "main:app", "--header", "X-A: 1", "--header", "X-B:2"]) == 0
    assert served[0][1].headers == (("X-A", "1"), ("X-B", "2"))


def test_an_address_may_be_repeated(served: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    assert execute(["serve", "main:app", "--bind", "127.0.0.1:0", "--bind", "unix:a.sock"]) == 0
    monkeypatch.setenv("ATLAS_SERVE_BIND", "127.0.0.1:0, unix:a.sock")
    assert execute(["serve", "main:app"]) == 0
    assert [settings.bind for _, settings in served] == [("127.0.0.1:0", "unix:a.sock")] * 2


def test_a_flag_outweighs_a_variable_even_with_the_default(
    served: Calls, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setenv("ATLAS_SERVE_PORT", "1")
    monkeypatch.setenv("ATLAS_SERVE_ACCESS_LOG", "off")
    (folder / "pyproject.toml").write_text("[tool.atlas]\napp = 'site:app'\nport = 2\nbacklog = 2")
    assert execute(["serve", "--port", "8000", "--access-log"]) == 0
    assert served == [("site:app", Settings(port=8000, access_log=True, backlog=2))]
    assert execute(["serve"]) == 0
    assert served[1][1] == Settings(port=1, access_log=False, backlog=2)


def test_the_env_file_counts_as_environment(served: Calls, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("ATLAS_TEST_SET", "process")
    monkeypatch.setenv("ATLAS_SERVE_BACKLOG", "9")
    for name in ("ATLAS_TEST_NEW", "ATLAS_SERVE_PORT"):
        monkeypatch.setenv(name, "")  # so that it's restored afterwards
        monkeypatch.delenv(name)
    (folder / "vars").write_text("ATLAS_TEST_SET=file\nATLAS_TEST_NEW=file\nATLAS_SERVE_PORT=4\nATLAS_SERVE_BACKLOG=4")
    assert execute(["serve", "main:app", "--env-file", "vars"]) == 0
    assert (os.environ["ATLAS_TEST_SET"], os.environ["ATLAS_TEST_NEW"]) == ("process", "file")
    assert served[0][1] == Settings(port=4, backlog=9, env_file="vars")


# ---------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--prot", "1"], "Error: there is no flag '--prot': did you mean '--port'?"),
        (["--port"], "Error: Option '--port' requires an argument"),
        (["--port", "x"], "Error: --port: expected an integer from 0 to 65535, got 'x'"),
        (
            ["--loop", "uvlop"],
            "Error: --loop: expected one of auto, uvloop, asyncio, got 'uvlop': did you mean 'uvloop'?",
        ),
        (["--uds", "a", "--fd", "3"], "Error: --uds and --fd: expected one of them, got both"),
        (["--uds", "a", "--bind", ":1"], "Error: --uds and --bind: expected one of them, got both"),
        (
            ["--bind", "a"],
            "Error: --bind: expected HOST:PORT, [IPv6]:PORT, unix:PATH or fd://NUMBER, got 'a': a port is missing",
        ),
    ],
)
def test_a_wrong_flag_is_status_2(
    served: Calls, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    assert execute(["serve", "main:app", *arguments]) == 2
    assert capsys.readouterr().err == line + "\n"
    assert served == []


def test_a_wrong_variable_is_status_2(
    served: Calls, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATLAS_SERVE_PORT", "x")
    assert execute(["serve", "main:app"]) == 2
    assert capsys.readouterr().err.startswith("Error: ATLAS_SERVE_PORT: expected an integer")


@pytest.mark.parametrize(
    ("error", "status"),
    [(StartupError("not like this"), 1), (LifespanError("not like this"), 3), (KeyboardInterrupt(), 130)],
)
def test_the_exit_status_of_a_failed_start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int
) -> None:
    def run(app: str, settings: Settings) -> None:
        raise error

    fake_server(monkeypatch, run)
    assert execute(["serve", "main:app"]) == status
    assert capsys.readouterr().err.strip() == ("" if status == 130 else "Error: not like this")


def test_a_missing_module_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    fake_server(monkeypatch, lambda app, settings: load(app))
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert execute(["serve", "nowhere_to_be_found:app"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: there is no module 'nowhere_to_be_found' in ")


def test_an_error_in_the_module_shows_its_traceback_and_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    (folder / "broken_by_test.py").write_text("def deep():\n    1 / 0\n\ndeep()\n")
    fake_server(monkeypatch, lambda app, settings: load(app))
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert execute(["serve", "broken_by_test:app"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == f'  File "{folder}/broken_by_test.py", line 4, in <module>'
    assert lines[-2:] == [
        "ZeroDivisionError: division by zero",
        "Error: 'broken_by_test' cannot be imported: ZeroDivisionError: division by zero",
    ]


# ------------------------------------------------------------------------------------------------------------ help


def test_the_help_shows_every_flag_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["serve", "--help"]) == 0
    text = click.unstyle(capsys.readouterr().out)
    flat = " ".join(text.split())
    for name, setting in settings_table().items():
        flag = flag_name(name).removeprefix("--")
        assert (f"--[no-]{flag}" if isinstance(setting.type, Boolean) else f"--{flag} ") in text, name
        assert setting.help.removesuffix(".") in flat, name
    assert "[127.0.0.1]" in text
    assert "[8000]" in text
    assert max(len(line) for line in text.splitlines()) <= 110


def test_the_help_groups_the_flags(capsys: pytest.CaptureFixture[str]) -> None:
    execute(["serve", "--help"])
    text = click.unstyle(capsys.readouterr().out)
    titles = list(dict.fromkeys(setting.group for setting in settings_table().values()))
    positions = [text.index(f"{title}:") for title in titles]
    assert positions == sorted(positions)


def test_the_command_has_no_flag_beside_the_settings() -> None:
    assert {parameter.name for parameter in command().params} == {"app", *settings_table(), *RENAMED, *IGNORED}


@pytest.mark.parametrize("name", ["auto", "websockets", "websockets-sansio", "wsproto"])
def test_ws_takes_the_names_of_uvicorn(served: Calls, name: str) -> None:
    assert execute(["serve", "main:app", "--ws", name]) == 0
    assert served[0][1] == Settings()
