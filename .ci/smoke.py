"""Tests the installed Atlas: serve, request, stop. Run it in a folder without the sources.

``python smoke.py`` uses the interpreter's own installation; it ends with status 0 and one line per application, or with
an AssertionError.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from importlib.util import find_spec
from pathlib import Path
from urllib.request import Request, urlopen

ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = b""
    while True:
        event = await receive()
        body += event.get("body", b"")
        if not event.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": scope["path"].encode() + b" " + body})
"""

APPLICATION = """
from atlas import Application, Route

def home(request):
    return "<h1>Atlas</h1>"

def show(request, name, year):
    return {"name": name, "year": year}

app = Application([Route("/", home), Route("/people/{name}/{year:int}", show)])
"""

TIMEOUT = 20.0  # seconds for each step


@contextlib.contextmanager
def served(folder: Path, target: str):
    """Run ``atlas serve`` on a free port; stop it by SIGTERM, and check the exit status."""
    atlas = Path(sys.executable).with_name("atlas")
    command = [str(atlas), "serve", target, "--port", "0", "--no-access-log"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True, env=clean_environment())
    guard = threading.Timer(3 * TIMEOUT, process.kill)
    guard.start()
    output: list[str] = []
    try:
        port = None
        for line in process.stderr:
            output.append(line)
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                port = int(found[1])
                break
        assert port, f"there is no line with the address: {''.join(output)}"
        rest = threading.Thread(target=lambda: output.extend(process.stderr))
        rest.start()
        yield port
        process.send_signal(signal.SIGTERM)
        status = process.wait(TIMEOUT)
        rest.join(TIMEOUT)
        assert status == 0, f"SIGTERM ended it with status {status}: {''.join(output)}"
        with socket.socket() as again:  # the port is free
            assert again.connect_ex(("127.0.0.1", port)) != 0, "the port still answers"
    finally:
        guard.cancel()
        process.kill()
        process.wait()


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("ATLAS_", "PYTHON"))}


def fetch(port: int, path: str, data: bytes | None = None) -> tuple[int, str, bytes]:
    with urlopen(Request(f"http://127.0.0.1:{port}{path}", data), timeout=TIMEOUT) as response:
        return response.status, response.headers["content-type"], response.read()


def try_asgi(folder: Path) -> None:
    (folder / "plain.py").write_text(ASGI)
    with served(folder, "plain:app") as port:
        assert fetch(port, "/hello") == (200, "text/plain", b"/hello ")
        assert fetch(port, "/echo", b"x" * 300_000) == (200, "text/plain", b"/echo " + b"x" * 300_000)


def try_application(folder: Path) -> None:
    (folder / "pages.py").write_text(APPLICATION)
    with served(folder, "pages:app") as port:
        status, kind, body = fetch(port, "/")
        assert (status, body) == (200, b"<h1>Atlas</h1>")
        assert kind.startswith("text/html")
        assert json.loads(fetch(port, "/people/ada/1843")[2]) == {"name": "ada", "year": 1843}


def main() -> None:
    import atlas

    assert find_spec("tests") is None, "the tests are installed with Atlas"
    print(f"Python {sys.version.split()[0]}, atlas {atlas.__version__} from {Path(atlas.__file__).parent}")
    for attempt in (try_asgi, try_application):
        with tempfile.TemporaryDirectory() as folder:
            attempt(Path(folder))
        print(f"  {attempt.__name__.removeprefix('try_')}: served, answered, stopped")


if __name__ == "__main__":
    main()
