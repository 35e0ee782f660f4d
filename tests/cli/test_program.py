"""The program: commands, exit statuses, and errors of one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import atlas
from atlas.cli.program import execute


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["--version"]) == 0
    assert capsys.readouterr().out == f"atlas {atlas.__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert execute(arguments) == 0
    out = capsys.readouterr().out
    assert out.startswith("Usage: atlas ")
    assert "serve" in out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["serv"], "Error: there is no command 'serv': did you mean 'serve'?"),
        (["xyzzy"], "Error: there is no command 'xyzzy'"),
        (["main:app"], "Error: there is no command 'main:app': did you mean 'atlas serve main:app'?"),
        (["main.py"], "Error: there is no command 'main.py': did you mean 'atlas serve main:app'?"),
        (["site"], "Error: there is no command 'site': did you mean 'atlas serve site:app'?"),
        (["--vers"], "Error: there is no flag '--vers': did you mean '--version'?"),
    ],
)
def test_a_mistake_is_one_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    line: str,
) -> None:
    (tmp_path / "site").mkdir()
    monkeypatch.chdir(tmp_path)
    assert execute(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err == line + "\n"
    assert captured.out == ""


def test_python_m_atlas_is_the_same() -> None:
    done = subprocess.run([sys.executable, "-m", "atlas", "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"atlas {atlas.__version__}\n")


def test_importing_the_command_line_loads_neither_click_nor_the_server() -> None:
    code = "import sys, atlas.cli; print(sorted({'click', 'asyncio', 'atlas.server', 'atlas.web'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout == "[]\n"
