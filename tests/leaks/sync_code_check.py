"""As ``leak_check.py``, with sync functions that wait: ``python sync_code_check.py lasgi uvloop``.

The kinds are ``lasgi``, and controllers that run by ``greenlet`` or by ``thread``.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from pathlib import Path
from typing import Any

from atlas import Application, Request, Route, Server, Settings, StreamingResponse, await_

sys.path.insert(0, str(Path(__file__).parent))
from leak_check import check, connect_and_close, cut_the_cycles_of_asyncio, request, reset

HELLO = b"hello\n\n"


def lasgi(scope: Any, receive: Any, send: Any) -> None:
    """What the ASGI application of ``leak_check`` does, as a sync function."""
    await_(asyncio.sleep(0))
    if scope["path"] == "/fail":
        raise RuntimeError("on purpose")
    if scope["path"] == "/upload":
        while receive().get("more_body"):
            pass
    send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    if scope["path"] == "/stream":
        for _ in range(200):
            send({"type": "http.response.body", "body": b"z" * 65536, "more_body": True})
    send({"type": "http.response.body", "body": HELLO})


def hello(request: Request) -> bytes:
    await_(asyncio.sleep(0))
    return HELLO


def upload(request: Request) -> bytes:
    request.body()
    return hello(request)


def fail(request: Request) -> None:
    hello(request)
    raise RuntimeError("on purpose")


def stream(request: Request) -> StreamingResponse:
    hello(request)
    return StreamingResponse([*[b"z" * 65536] * 200, HELLO])


def controllers(run: Any) -> Application:
    methods = {"/": hello, "/upload": upload, "/fail": fail, "/stream": stream}
    return Application([Route(path, each, ["GET", "POST"], run=run) for path, each in methods.items()])


def main(kind: str, loop: Any) -> int:
    app: Any = lasgi if kind == "lasgi" else controllers(kind)
    settings = Settings(port=0, loop=loop, lifespan="off", access_log=False, log_level="critical")
    for name in ("atlas", "atlas.web"):
        logging.getLogger(name).addHandler(logging.NullHandler())
        logging.getLogger(name).setLevel("CRITICAL")
    logging.getLogger("atlas").propagate = False
    cut_the_cycles_of_asyncio()
    gc.collect()
    gc.disable()
    with Server(app, settings).run_in_thread() as server:
        address = server.sockets[0].getsockname()[:2]
        growth = [
            *check("requests", address, request, 3200),
            *check("connects", address, connect_and_close, 500),
            *check("resets", address, reset, 300),
        ]
    sys.stdout.write("".join(f"{line}\n" for line in growth))
    return 1 if growth else 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
