"""``atlas serve --reload``: a new process after an edit, on the same socket; what stops it, and what does not."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import trustme

from atlas import Application, StartupError, run
from atlas.server.configuration.load_settings import LoadedSettings
from atlas.server.configuration.settings import Settings
from atlas.server.reload import reloader
from atlas.server.reload.reloader import Reloader
from tests.server.reload.served import PATIENCE, Served, serving

APP = """
import asyncio, os, sys, time

open("starts", "a").write(".")
{line}

async def app(scope, receive, send):
    if scope["path"] == "/block":
        time.sleep(60)
    while scope["path"] == "/hold" and not os.path.exists("released"):
        await asyncio.sleep(0.01)
    answers = {{"/pid": str(os.getpid()), "/group": str(os.getpgid(0)), "/name": os.environ.get("NAME", "-")}}
    body = answers.get(scope["path"], {answer!r})
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": body.encode()}})
"""


def write(folder: Path, answer: str, line: str = "") -> None:
    (folder / "main.py").write_text(APP.format(answer=answer, line=line))


def starts(folder: Path) -> int:
    return len((folder / "starts").read_text())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "one")
    return tmp_path


def reloading(folder: Path, *flags: str, **variables: str):  # type: ignore[no-untyped-def]
    return serving(folder, "main:app", "--reload", "--port", "0", "--lifespan", "off", *flags, **variables)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_edit_starts_a_new_process(folder: Path, number: signal.Signals) -> None:
    with reloading(folder) as served:
        served.wait_ready()
        port, pid = served.port, served.get("/pid")
        assert served.get() == "one"
        write(folder, "two and more")
        served.wait_for("WARNING: +'main.py' changed: restarting")
        served.wait_for("INFO: +stopped")
        assert served.get() == "two and more"  # it waited for the new process
        served.wait_ready()
        assert served.port == port
        assert served.get("/pid") not in (pid, str(served.process.pid))
        assert starts(folder) == 2
        assert served.stop(number) == 0
        assert "Traceback" not in served.rest()


@pytest.mark.parametrize(
    ("line", "error"),
    [("x = (", "SyntaxError"), ("import none_such", "none_such"), ("1 / 0", "ZeroDivisionE")],
)
def test_a_broken_module_waits_for_the_next_edit(folder: Path, line: str, error: str) -> None:
    with reloading(folder) as served:
        served.wait_ready()
        write(folder, "broken", line)
        served.wait_for(f'File "{folder}/main.py", line 5')
        served.wait_for(f"Error: .*{error}")
        served.wait_for("ERROR: +the server process ended with status 1: it starts again after a change")
        answers: list[str] = []
        client = threading.Thread(target=lambda: answers.append(served.get()))
        client.start()  # the socket is open: this waits
        write(folder, "mended again")
        client.join(PATIENCE)
        assert answers == ["mended again"]
        # The first one, the broken one if it gets as far, and the mended one: none was started in between.
        assert starts(folder) == (2 if error == "SyntaxError" else 3)


def test_a_module_that_is_broken_at_the_start(folder: Path) -> None:
    write(folder, "broken", "x = (")
    with reloading(folder) as served:
        served.wait_for("it starts again after a change")
        write(folder, "mended again")
        served.wait_ready()
        assert served.get() == "mended again"


def test_ctrl_c_in_a_terminal_reaches_all_processes_of_the_group(folder: Path) -> None:
    with reloading(folder) as served:
        served.wait_ready()
        assert served.get("/group") == str(served.process.pid)
        os.killpg(served.process.pid, signal.SIGINT)
        assert served.process.wait(PATIENCE) == 0
        assert "Traceback" not in served.rest()


def test_ctrl_c_while_the_application_is_imported(folder: Path) -> None:
    write(folder, "slow", "print('importing', file=sys.stderr, flush=True); time.sleep(60)")
    with reloading(folder) as served:
        served.wait_for("importing")
        os.killpg(served.process.pid, signal.SIGINT)
        assert served.process.wait(PATIENCE) == 0
        assert "Traceback" not in served.rest()


def test_the_application_can_read_from_the_terminal(folder: Path) -> None:
    write(folder, "one", "print('read', sys.stdin.readline(), file=sys.stderr)")  # as a debugger does
    with reloading(folder) as served:
        assert served.process.stdin is not None
        served.process.stdin.write("continue\n")
        served.process.stdin.flush()
        served.wait_for("read continue")


def test_a_request_that_blocks_does_not_stop_a_reload(folder: Path) -> None:
    with reloading(folder, "--timeout-graceful-shutdown", "0.1") as served:
        served.wait_ready()
        with socket.create_connection(("127.0.0.1", served.port), PATIENCE) as client:
            client.sendall(b"GET /block HTTP/1.1\r\nHost: a\r\n\r\n")
            write(folder, "two and more")
            served.wait_ready()
            assert served.get() == "two and more"


def test_a_process_that_does_not_end_is_killed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ignoring = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('blocks', 'w'); time.sleep(60)"
    write(folder, "one", ignoring)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(reloader, "_MARGIN", 0.1)
    settings = Settings(reload=True, port=0, timeout_graceful_shutdown=0, app_dir=str(folder))
    loaded = LoadedSettings("main:app", settings)

    async def main() -> None:
        running = asyncio.ensure_future(Reloader(loaded, lambda: loaded).run())
        async with asyncio.timeout(PATIENCE):
            while not (folder / "blocks").exists():
                await asyncio.sleep(0.01)
            os.kill(os.getpid(), signal.SIGTERM)
            await running

    asyncio.run(main())
    assert "the server process did not stop within 0 seconds: it is killed" in caplog.text


def test_a_second_signal_ends_it_at_once(folder: Path) -> None:
    with reloading(folder, "--timeout-graceful-shutdown", "600") as served:
        served.wait_ready()
        with socket.create_connection(("127.0.0.1", served.port), PATIENCE) as client:
            client.sendall(b"GET /block HTTP/1.1\r\nHost: a\r\n\r\n")
            served.process.send_signal(signal.SIGTERM)
            served.process.send_signal(signal.SIGINT)
            assert served.process.wait(PATIENCE) == 0


def test_the_env_file_is_read_again(folder: Path) -> None:
    variables = folder / "vars"
    variables.write_text("NAME=first\nOTHER=1\n")
    with reloading(folder, "--env-file", "vars", OTHER="process") as served:
        served.wait_ready()
        assert served.get("/name") == "first"
        variables.write_text("NAME=the second\n")
        served.wait_for("'vars' changed: restarting")
        served.wait_ready()
        assert served.get("/name") == "the second"


def test_settings_of_a_file_are_read_again(folder: Path) -> None:
    file = folder / "pyproject.toml"
    file.write_text("[tool.atlas]\nroot-path = '/a'\n")
    with serving(folder, "main:app", "--reload", "--port", "0", "--lifespan", "off") as served:
        served.wait_ready()
        file.write_text("[tool.atlas]\nroot-pathh = '/a'\n")
        served.wait_for(r"ERROR: +'pyproject.toml': .*root-pathh: there is no such setting: did you mean 'root_path'\?")
        file.write_text("[tool.atlas]\nreload-dir = ['nowhere']\n")
        served.wait_for("ERROR: +'pyproject.toml': --reload-dir nowhere: there is no such directory")
        assert served.get() == "one"  # the process goes on
        file.write_text("[tool.atlas]\nhost = 'localhost'\n")
        served.wait_for("'pyproject.toml' changed: restarting")
        served.wait_ready()  # on another socket
        assert served.get() == "one"


def test_settings_that_change_while_a_process_ends(folder: Path) -> None:
    variables = folder / "vars"
    variables.write_text("NAME=first\n")
    with reloading(folder, "--env-file", "vars", "--timeout-graceful-shutdown", "30") as served:
        served.wait_ready()
        with socket.create_connection(("127.0.0.1", served.port), PATIENCE) as client:
            client.sendall(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\nGET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
            assert served.get() == "one"  # the other request has begun
            write(folder, "two and more")
            served.wait_for("'main.py' changed: restarting")
            variables.write_text("NAME=the second\n")
            (folder / "released").touch()
            served.wait_ready()
        assert served.get("/name") == "the second"


def test_a_wrong_env_file_leaves_the_environment_as_it_is(folder: Path) -> None:
    variables = folder / "vars"
    variables.write_text("NAME=first\n")
    with reloading(folder, "--env-file", "vars") as served:
        served.wait_ready()
        variables.write_text("NAME\n")
        served.wait_for("ERROR: +'vars': --env-file vars:1: expected KEY=VALUE")
        write(folder, "two and more")
        served.wait_for("'main.py' changed: restarting")
        served.wait_ready()
        assert served.get("/name") == "first"


def test_an_inherited_socket_is_used_again(folder: Path) -> None:
    file = folder / "atlas.toml"
    with socket.create_server(("127.0.0.1", 0)) as inherited:
        descriptor = inherited.fileno()
        flags = ["main:app", "--reload", "--lifespan", "off", "--fd", str(descriptor)]
        with serving(folder, *flags, pass_fds=(descriptor,)) as served:
            served.wait_ready()
            file.write_text("backlog = 100\n")
            served.wait_for("'atlas.toml' changed: restarting")
            served.wait_ready()
            assert served.get() == "one"
            assert served.port == inherited.getsockname()[1]


def test_tls_and_a_unix_socket(folder: Path) -> None:
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "cert.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    flags = ["--bind", "127.0.0.1:0", "--bind", "unix:atlas.sock", "--ssl-certfile", "cert.pem"]
    with serving(folder, "main:app", "--reload", "--lifespan", "off", *flags) as served:
        served.wait_ready()
        write(folder, "two and more")
        served.wait_for("restarting")
        served.wait_ready()
        for family, address in (
            (socket.AF_INET, ("127.0.0.1", served.port)),
            (socket.AF_UNIX, str(folder / "atlas.sock")),
        ):
            with socket.socket(family) as plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as client:
                client.settimeout(PATIENCE)
                client.connect(address)
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                assert client.makefile("rb").read().endswith(b"two and more")
        assert served.stop() == 0
    assert not (folder / "atlas.sock").exists()


def test_a_process_that_has_served_enough_is_replaced(folder: Path) -> None:
    with reloading(folder, "--limit-max-requests", "1") as served:
        served.wait_ready()
        first = served.get("/pid")
        served.wait_for("INFO: +stopped")
        assert served.get("/pid") != first


def test_worker_processes_are_for_production(folder: Path) -> None:
    with reloading(folder, "--workers", "3") as served:
        served.wait_for("WARNING: +--workers 3 has no effect with --reload: one process serves")
        served.wait_ready()
        assert starts(folder) == 1


def test_an_address_in_use_is_an_error(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with serving(folder, "main:app", "--reload", "--port", port) as served:
            served.wait_for(f"Error:.* 127.0.0.1:{port} is already in use")
            assert served.process.wait(PATIENCE) == 1


def test_an_application_object_cannot_be_imported_again() -> None:
    with pytest.raises(StartupError, match="reload: worker processes import the application themselves"):
        run(Application(), reload=True)


def test_dev_reloads_and_can_be_told_not_to(folder: Path) -> None:
    with serving(folder, "main:app", "--dev", "--port", "0", "--lifespan", "off") as served:
        served.wait_for("watching .* for changes")
    with serving(folder, "main:app", "--dev", "--no-reload", "--port", "0", "--lifespan", "off") as served:
        served.wait_ready()
        assert served.get("/pid") == str(served.process.pid)
        assert "watching" not in "".join(served.lines)


def test_run_reloads_too(folder: Path) -> None:
    (folder / "start.py").write_text("import atlas\natlas.run('main:app', reload=True, port=0, lifespan='off')\n")
    command = [sys.executable, "start.py"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        served = Served(process)
        try:
            served.wait_ready()
            write(folder, "two and more")
            served.wait_for("restarting")
            served.wait_ready()
            assert served.get() == "two and more"
        finally:
            served.stop()
