"""The files of examples/deployment: read by the programs that they are for, and used to serve an application."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from atlas.server.configuration.load_settings import environment_variable, flag_name
from atlas.server.configuration.settings import settings_table
from tests.interop.proxies import CERTIFICATE, free_port, running, tool

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "deployment"
PAGES = ROOT / "docs" / "deployment"
PATIENCE = 30.0
FLAG = re.compile(r"(?<![\w-])--([a-z][a-z-]+)")
# Flags of other programs that the pages name.
OF_OTHERS = {"--time", "--tag", "--rm", "--publish", "--env", "--read-only", "--tmpfs", "--init", "--ulimit", "--now"}
OF_OTHERS |= {"--config"}


def text_of(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def replaced(text: str, pairs: dict[str, str]) -> str:
    """Replace what belongs to the machine of the reader; each text has to be there."""
    for old, new in pairs.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def files() -> list[Path]:
    return sorted(path for path in FOLDER.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


# ------------------------------------------------------------------------------------------------------------ pages


def test_each_file_is_in_a_page() -> None:
    pages = "".join(page.read_text("utf-8") for page in PAGES.glob("*.md"))
    for path in files():
        if path.name not in ("README.md", "main.py"):
            assert f'--8<-- "{path.relative_to(ROOT).as_posix()}"' in pages, path


def test_flags_and_variables_are_those_of_the_server() -> None:
    flags = {flag_name(name) for name in settings_table()} | OF_OTHERS
    variables = {environment_variable(name) for name in settings_table()}
    texts = {page.name: page.read_text("utf-8") for page in PAGES.glob("*.md")}
    commands = [*re.findall(r"ExecStart=.*", text_of("systemd/atlas.service")), *docker_command(), *arguments()]
    texts |= {"commands": "\n".join(commands), "manifest": text_of("kubernetes/atlas.yaml")}
    for name, text in texts.items():
        found = {f"--{flag}" for flag in FLAG.findall(re.sub(r"--8<--.*", "", text))}
        assert found <= flags, name
        assert set(re.findall(r"ATLAS_SERVE_[A-Z_]+", text)) <= variables, name


# ---------------------------------------------------------------------------------------------------------- systemd


def test_systemd_units(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed on this machine")
    here = {"/srv/atlas/.venv/bin/atlas": sys.executable, "WorkingDirectory=/srv/atlas": "WorkingDirectory=/tmp"}
    (tmp_path / "atlas.service").write_text(replaced(text_of("systemd/atlas.service"), here))
    (tmp_path / "atlas.socket").write_text(text_of("systemd/atlas.socket"))
    units = [str(tmp_path / name) for name in ("atlas.service", "atlas.socket")]
    done = subprocess.run([program, "verify", "--man=no", *units], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_command_of_the_service(tmp_path: Path) -> None:
    """The socket of the unit is the one that ``--bind fd://web`` names, and the server serves on it."""
    program = shutil.which("systemd-socket-activate")
    if program is None:
        pytest.skip("systemd-socket-activate is not installed on this machine")
    [line] = re.findall(r"ExecStart=(.*)", text_of("systemd/atlas.service"))
    [name] = re.findall(r"FileDescriptorName=(.*)", text_of("systemd/atlas.socket"))
    metrics = free_port()
    line = replaced(line, {"/srv/atlas/.venv/bin/atlas": f"{sys.executable} -m atlas", ":9100": f":{metrics}"})
    path = tmp_path / "atlas.sock"
    environment = [f"--setenv={name}" for name in ("PATH", "PYTHONPATH")]
    command = [program, f"--listen={path}", f"--fdname={name}", *environment, *shlex.split(line)]
    with started(command, rf"Listening on {path}"):
        transport = httpx.HTTPTransport(uds=str(path))
        with httpx.Client(transport=transport, timeout=PATIENCE, trust_env=False) as client:
            assert client.get("http://example.com/").text == "<h1>It works</h1>"
        assert status_of(metrics, "/readyz") == 200


@contextlib.contextmanager
def started(command: list[str], line: str) -> Iterator[None]:
    """Run a command of a server in the folder of the example; it has to end with status 0 by SIGTERM."""
    folder = FOLDER / "docker"
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            lines: list[str] = []
            while not lines or not re.search(line, lines[-1]):
                lines.append(process.stderr.readline())
                assert lines[-1], "".join(lines)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=PATIENCE)
        assert process.returncode == 0


def status_of(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().status


# ----------------------------------------------------------------------------------------------------------- Docker


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, each with its text in one line."""
    lines = "\n".join(line for line in text_of("docker/Dockerfile").splitlines() if not line.startswith("#"))
    return [(word, rest.strip()) for word, rest in re.findall(r"^([A-Z]+) (.*)$", lines.replace("\\\n", " "), re.M)]


def docker_command() -> list[str]:
    last = dict(instructions())
    command: list[str] = json.loads(last["ENTRYPOINT"]) + json.loads(last["CMD"])
    return command


def test_the_image_has_two_stages_and_a_user_without_rights() -> None:
    words = [word for word, _ in instructions()]
    assert words.count("FROM") == 2
    final = instructions()[len(words) - words[::-1].index("FROM") :]
    assert not any("gcc" in rest or "apt-get" in rest for _, rest in final)
    [user] = [rest for word, rest in final if word == "USER"]
    assert user == "10001:10001"
    assert not any(word in ("RUN", "COPY", "ADD") for word, _ in final[final.index(("USER", user)) :])
    build = instructions()[: len(words) - len(final)]
    assert any("pip wheel" in rest for _, rest in build)
    for word, rest in instructions():
        for source in rest.split()[:-1] if word == "COPY" else []:
            assert (FOLDER / "docker" / source).exists()


def test_the_command_and_the_health_check_of_the_image() -> None:
    port, metrics = free_port(), free_port()
    here = {"0.0.0.0:8000": f"127.0.0.1:{port}", "0.0.0.0:9100": f"127.0.0.1:{metrics}"}
    command = [here.get(each, each) for each in docker_command()]
    assert command[0] == "atlas"
    with started([sys.executable, "-m", *command], "serving on"):
        assert status_of(port, "/") == 200
        check = replaced(dict(instructions())["HEALTHCHECK"], {":9100": f":{metrics}"})
        words = json.loads(check[check.index("[") :])
        assert words[0] == "python"
        subprocess.run([sys.executable, *words[1:]], check=True, timeout=PATIENCE)


# ------------------------------------------------------------------------------------------------------- Kubernetes


def manifests() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    return {each["kind"]: each for each in yaml.safe_load_all(text_of("kubernetes/atlas.yaml"))}


def container() -> dict[str, Any]:
    [found] = manifests()["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def arguments() -> list[str]:
    args: list[str] = container()["args"]
    return args


def test_manifests_are_valid() -> None:
    validator = pytest.importorskip("kubernetes_validate")
    for manifest in manifests().values():
        validator.validate(manifest, validator.latest_version(), strict=True)


def test_manifests_fit_together() -> None:
    found = manifests()
    assert found.keys() == {"Deployment", "Service", "PodDisruptionBudget"}
    pod = found["Deployment"]["spec"]["template"]
    labels = pod["metadata"]["labels"]
    for kind in ("Deployment", "PodDisruptionBudget"):
        assert found[kind]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert found["Service"]["spec"]["selector"].items() <= labels.items()
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert found["Service"]["spec"]["ports"][0]["targetPort"] in ports
    assert f"--bind=0.0.0.0:{ports['http']}" in arguments()
    assert f"--metrics=0.0.0.0:{ports['metrics']}" in arguments()
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(ports["metrics"])
    exposed = dict(instructions())["EXPOSE"].split()
    assert exposed == [str(ports["http"]), str(ports["metrics"])]


def test_probes_stop_and_resources() -> None:
    paths = {}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        paths[probe] = container()[probe]["httpGet"]["path"]
        assert container()[probe]["httpGet"]["port"] == "metrics"
    assert paths == {"startupProbe": "/readyz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}
    startup = container()["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= settings_default("timeout_worker_startup")
    [_, seconds] = container()["lifecycle"]["preStop"]["exec"]["command"]
    pod = manifests()["Deployment"]["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > float(seconds) + settings_default("timeout_graceful_shutdown") + 5
    assert {"requests", "limits"} <= container()["resources"].keys()
    assert pod["securityContext"]["runAsNonRoot"]
    user = dict(instructions())["USER"]
    assert f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" == user


def settings_default(name: str) -> float:
    from atlas import Settings

    value: float = getattr(Settings(), name)
    return value


def test_the_service_is_stopped_later_than_the_server_stops() -> None:
    [seconds] = re.findall(r"TimeoutStopSec=(\d+)", text_of("systemd/atlas.service"))
    assert float(seconds) > settings_default("timeout_graceful_shutdown") + 5


# ---------------------------------------------------------------------------------------------------------- proxies


@contextlib.contextmanager
def served(*flags: str) -> Iterator[None]:
    with started([sys.executable, "-m", "atlas", "serve", "main:app", *flags], "serving on"):
        yield


def check_through(port: int) -> None:
    with httpx.Client(verify=False, trust_env=False, timeout=PATIENCE) as client:
        response = client.get(f"https://127.0.0.1:{port}/", headers={"host": "example.com"})
        assert (response.status_code, response.text) == (200, "<h1>It works</h1>")


def test_nginx(tmp_path: Path) -> None:
    """``nginx -t``, and a request through nginx."""
    plain, secure = free_port(), free_port()
    text = replaced(
        text_of("nginx/nginx.conf"),
        {
            "listen 80;": f"listen 127.0.0.1:{plain};",
            "    listen [::]:80;\n": "",
            "listen 443 ssl http2;": f"listen 127.0.0.1:{secure} ssl http2;",
            "    listen [::]:443 ssl http2;\n": "",
            "/etc/ssl/example.com/fullchain.pem": str(CERTIFICATE),
            "/etc/ssl/example.com/privkey.pem": str(CERTIFICATE),
            "/run/atlas/atlas.sock": str(tmp_path / "atlas.sock"),
            "/run/nginx.pid": str(tmp_path / "nginx.pid"),
            "/var/log/nginx": str(tmp_path),
            "worker_processes auto;": "daemon off; master_process off;",
            "/etc/nginx/mime.types": str(tmp_path / "mime.types"),
        },
    )
    (tmp_path / "mime.types").write_text("types { text/html html; }")
    config = tmp_path / "nginx.conf"
    config.write_text(text)
    command = [tool("nginx"), "-e", str(tmp_path / "error.log"), "-c", str(config)]
    done = subprocess.run([*command, "-t"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "[emerg]" not in done.stderr
    with served("--uds", str(tmp_path / "atlas.sock")), running(command, secure):
        check_through(secure)
        moved = httpx.get(f"http://127.0.0.1:{plain}/a?b", headers={"host": "example.com"}, trust_env=False)
        assert moved.headers["location"] == "https://example.com/a?b"


def test_haproxy(tmp_path: Path) -> None:
    """``haproxy -c``, and a request through HAProxy to a server that its health check has found."""
    plain, secure, port, metrics = (free_port() for _ in range(4))
    text = replaced(
        text_of("haproxy/haproxy.cfg"),
        {
            "bind :80": f"bind 127.0.0.1:{plain}",
            "bind :443": f"bind 127.0.0.1:{secure}",
            "/etc/haproxy/certs/example.com.pem": str(CERTIFICATE),
            "10.0.0.11:8000": f"127.0.0.1:{port}",
            "10.0.0.12:8000": "127.0.0.1:1",
            "check port 9100 inter 1s": f"check port {metrics} inter 50ms",
            "maxconn 8192": "maxconn 64",
        },
    )
    config = tmp_path / "haproxy.cfg"
    config.write_text(text)
    done = subprocess.run([tool("haproxy"), "-c", "-f", str(config)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "[WARNING]" not in done.stderr
    flags = ["--bind", f"127.0.0.1:{port}", "--metrics", f"127.0.0.1:{metrics}"]
    with served(*flags), running([tool("haproxy"), "-db", "-f", str(config)], secure):
        check_through(secure)
        moved = httpx.get(f"http://127.0.0.1:{plain}/a?b", headers={"host": "example.com"}, trust_env=False)
        assert moved.headers["location"] == "https://example.com/a?b"


def test_caddy(tmp_path: Path) -> None:
    """``caddy validate``, and a request through Caddy, without the certificate that it would get."""
    program = tool("caddy")
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    checked = [program, "validate", "--adapter", "caddyfile", "--config"]
    done = subprocess.run(
        [*checked, str(FOLDER / "caddy" / "Caddyfile")], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    front, port, metrics = (free_port() for _ in range(3))
    here = {"example.com {": f"http://127.0.0.1:{front} {{", "health_port 9100": f"health_port {metrics}"}
    here |= {"10.0.0.11:8000 10.0.0.12:8000": f"127.0.0.1:{port}", "health_interval 1s": "health_interval 50ms"}
    config = tmp_path / "Caddyfile"
    config.write_text("{\n\tadmin off\n}\n" + replaced(text_of("caddy/Caddyfile"), here))
    flags = ["--bind", f"127.0.0.1:{port}", "--metrics", f"127.0.0.1:{metrics}"]
    with served(*flags), running([program, "run", "--adapter", "caddyfile", "--config", str(config)], front):
        response = httpx.get(f"http://127.0.0.1:{front}/", trust_env=False, timeout=PATIENCE)
        assert response.text == "<h1>It works</h1>"
