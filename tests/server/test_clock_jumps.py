"""The clock of the machine is set: time-outs go on as before, the Date line follows, the processes stay."""

from __future__ import annotations

import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the clock is replaced by LD_PRELOAD")

PATIENCE = 30.0
DAY = 86400

# The functions of the C library that read the wall clock, with an offset in seconds that is in a file.
CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
static volatile long *offset(void) {
    static volatile long *found;
    if (!found) {
        int fd = open(getenv("CLOCK_OFFSET"), O_RDONLY);
        found = mmap(NULL, sizeof(long), PROT_READ, MAP_SHARED, fd, 0);
    }
    return found;
}
int clock_gettime(clockid_t clock, struct timespec *t) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, t);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) t->tv_sec += *offset();
    return result;
}
time_t time(time_t *to) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (to) *to = t.tv_sec;
    return t.tv_sec;
}
int gettimeofday(struct timeval *restrict to, void *restrict zone) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    to->tv_sec = t.tv_sec;
    to->tv_usec = t.tv_nsec / 1000;
    return 0;
}
"""
APP = """
import atlas
app = atlas.Application([atlas.Route("/", lambda request: "hello")], middleware=[atlas.RateLimit("1000/minute")])
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler on this machine")
    folder = tmp_path_factory.mktemp("clock")
    (folder / "clock.c").write_text(CLOCK)
    library = folder / "clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, folder / "clock.c", "-ldl"], check=True)
    return library


def date_of(client: socket.socket) -> datetime:
    """Send a request; return the date of the response."""
    client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    received = b""
    while not received.endswith(b"hello"):
        piece = client.recv(65536)
        assert piece, received
        received += piece
    assert received.startswith(b"HTTP/1.1 200")
    match = re.search(rb"\r\ndate: ([^\r]+)\r\n", received)
    assert match is not None
    return parsedate_to_datetime(match[1].decode())


@pytest.mark.parametrize("workers", [1, 2])
def test_the_clock_is_set_by_a_day(library: Path, workers: int, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(APP)
    offset = tmp_path / "offset"
    offset.write_bytes(struct.pack("l", 0))
    command = [sys.executable, "-m", "atlas", "serve", "main:app", "--port", "0", "--workers", str(workers)]
    environment = {
        "LD_PRELOAD": str(library),
        "CLOCK_OFFSET": str(offset),
        "PYTHONPATH": ":".join(filter(None, sys.path)),
    }
    log = tmp_path / "log"
    with (
        log.open("w") as out,
        subprocess.Popen(
            [*command, "--timeout-keep-alive", "30", "--timeout-worker-heartbeat", "5"],
            cwd=tmp_path,
            env={**os.environ, **environment},
            stderr=subprocess.PIPE,
            stdout=out,
            text=True,
        ) as process,
    ):
        assert process.stderr is not None
        try:
            lines = []
            match = None
            while match is None:
                lines.append(process.stderr.readline())
                assert lines[-1], "".join(lines)
                match = re.search(r"serving on http://127\.0\.0\.1:(\d+)", lines[-1])
            with socket.create_connection(("127.0.0.1", int(match[1])), timeout=PATIENCE) as client:
                for days in (0, 1, -1, 0):
                    with offset.open("r+b") as file:
                        file.write(struct.pack("l", days * DAY))
                    date = date_of(client)  # the connection stays open
                    if date != date_of(client):  # made within the second in which the clock was set
                        date = date_of(client)
                    expected = datetime.fromtimestamp(time.time() + days * DAY, UTC)
                    assert abs((date - expected).total_seconds()) < PATIENCE
        finally:
            process.terminate()
            lines += process.stderr.readlines()
        assert process.wait(PATIENCE) == 0
    assert not [line for line in lines if "ERROR" in line or "WARNING" in line]
