"""The pytest plugin, in a pytest of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from atlas.testing.plugin import LiveServer

ROOT = Path(__file__).parents[2]

APP = """
from atlas import Application

app = Application()

@app.get("/")
def home(request):
    return "hello"
"""
TESTS = """
from urllib.request import urlopen

def test_client(client):
    assert client.get("/").text == "hello"

def test_live_server(live_server):
    assert str(live_server).startswith("http://127.0.0.1:")
    assert urlopen(live_server.url).read() == b"hello"
"""
FIXTURE = """
import pytest
import main

@pytest.fixture
def app():
    return main.app
"""


def run(folder: Path, **files: str) -> tuple[int, str]:
    for name, text in files.items():
        (folder / name.replace("_ini", ".ini").replace("_py", ".py")).write_text(text)
    # As an installed plugin it would be there by itself: "no:atlas" keeps it from being there twice.
    plugin = ["-p", "no:atlas", "-p", "atlas.testing.plugin", "-p", "no:cacheprovider", "-q"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugin, "--rootdir", str(folder), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": f"{ROOT}:{folder}", "PATH": ""},
        cwd=folder,
    )
    return done.returncode, done.stdout + done.stderr


def test_an_application_by_the_ini_option(tmp_path: Path) -> None:
    status, out = run(tmp_path, main_py=APP, test_it_py=TESTS, pytest_ini="[pytest]\natlas_app = main:app\n")
    assert status == 0, out
    assert "2 passed" in out


BENCHMARKS = """
def test_by_a_client(benchmark, client):
    assert benchmark(client.get, "/").text == "hello"

def test_by_a_request(benchmark_request):
    assert benchmark_request("GET", "/").text == "hello"

def test_of_a_page_that_is_missing(benchmark_request):
    benchmark_request("GET", "/missing")
"""


def test_endpoints_are_measured_by_pytest_benchmark(tmp_path: Path) -> None:
    pytest.importorskip("pytest_benchmark")
    options = "--benchmark-only --benchmark-max-time=0.05 --benchmark-json=figures.json"
    ini = f"[pytest]\natlas_app = main:app\naddopts = {options}\n"
    status, out = run(tmp_path, main_py=APP, test_it_py=BENCHMARKS, pytest_ini=ini)
    assert status == 1, out
    assert "2 passed" in out
    assert "AssertionError: GET /missing: expected status 200, got 404" in out
    figures = json.loads((tmp_path / "figures.json").read_text())["benchmarks"]
    assert [each["name"] for each in figures] == ["test_by_a_client", "test_by_a_request"]
    assert all(each["stats"]["rounds"] > 1 for each in figures)


def test_an_application_by_a_fixture(tmp_path: Path) -> None:
    status, out = run(tmp_path, main_py=APP, test_it_py=TESTS, conftest_py=FIXTURE, pytest_ini="[pytest]\n")
    assert status == 0, out


def test_without_an_application_it_says_what_to_do(tmp_path: Path) -> None:
    status, out = run(tmp_path, test_it_py=TESTS, pytest_ini="[pytest]\n")
    assert status == 1
    assert 'no application: define a fixture "app", or set atlas_app' in out


def test_a_wrong_target_is_explained(tmp_path: Path) -> None:
    status, out = run(tmp_path, main_py=APP, test_it_py=TESTS, pytest_ini="[pytest]\natlas_app = main:ap\n")
    assert status == 1
    assert "atlas_app: 'main' has no attribute 'ap': did you mean 'app'?" in out


def test_a_live_server_is_its_address() -> None:
    server = LiveServer("127.0.0.1", 80)
    assert (str(server), server.url) == ("http://127.0.0.1:80", "http://127.0.0.1:80")
    with pytest.raises(AttributeError):
        server.port = 81  # type: ignore[misc]


def test_loading_it_loads_no_framework() -> None:
    code = "import sys, atlas.testing.plugin; print({'asyncio', 'atlas.web', 'atlas.server'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "atlas" not in done.stdout


FACTORY = APP.replace("app = Application()\n", "def create_app():\n    app = Application()\n").replace(
    '@app.get("/")\ndef home(request):\n    return "hello"', '    app.get("/")(lambda request: "hello")\n    return app'
)


@pytest.mark.parametrize(
    "files",
    [
        {"main_py": FACTORY, "pytest_ini": "[pytest]\natlas_app = main:create_app\n"},
        {"main_py": APP, "pyproject.toml": '[tool.atlas]\napp = "main:app"\n'},
        {"main_py": FACTORY, "pyproject.toml": '[tool.atlas]\napp = "main:create_app"\nfactory = true\n'},
    ],
    ids=["a factory", "of the project", "a factory of the project"],
)
def test_an_application_from_a_factory_or_the_configuration(tmp_path: Path, files: dict[str, str]) -> None:
    status, out = run(tmp_path, test_it_py=TESTS, **files)
    assert status == 0, out
    assert "2 passed" in out


def test_a_wrong_configuration_is_one_line(tmp_path: Path) -> None:
    status, out = run(tmp_path, test_it_py=TESTS, **{"pyproject.toml": "[tool.atlas]\nprot = 1\n"})
    assert status == 1
    assert "[tool.atlas], prot: there is no such setting: did you mean 'port'?" in out
