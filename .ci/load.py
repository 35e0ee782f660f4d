"""``make load``: ten seconds of wrk on the example site, served on a free port; ends by stopping it.

A page that waits for nothing, then a page and a JSON endpoint that ask the database, each from 32 connections; the
access log is off. The forum is a new one, and is gone afterwards.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATHS = ("/about", "/threads/1", "/api/threads")
SECONDS = 3


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        return load(folder)


def load(folder: str) -> int:
    atlas = Path(sys.executable).with_name("atlas")
    command = [
        str(atlas),
        "serve",
        "--app-dir",
        str(ROOT / "examples/forum"),
        "main:app",
        "--port",
        "0",
        "--no-access-log",
    ]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "FORUM_FOLDER": folder})
    try:
        address = next((found[0] for line in server.stderr if (found := re.search(r"http://[\d.]+:\d+", line))), None)
        if address is None:
            return server.wait()
        for path in PATHS:
            print(f"\n{address}{path}", flush=True)
            subprocess.run(["wrk", "-t1", "-c32", f"-d{SECONDS}s", "--latency", address + path], check=True)
    finally:
        server.terminate()
    return server.wait(30)


if __name__ == "__main__":
    sys.exit(main())
