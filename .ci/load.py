"""``make load``: ten seconds of load with wrk on the example site, which is served on a free port.

The requests go to a page without database access, a page and a JSON endpoint with database access, each on 32
connections, without access log. The database is temporary.
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
