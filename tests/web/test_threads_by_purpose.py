"""Files and sessions are served while functions of the application block every thread that they may have."""

import asyncio
import threading
from pathlib import Path

from atlas import Application, FileResponse, FileStore, Request, Route, Sessions, Static, TestClient
from atlas.gateway.threads import BACKGROUND, CALLS

PATIENCE = 10.0


def test_files_and_sessions_do_not_wait_for_user_code(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a" * 100_000)
    let_go = threading.Event()
    sessions = Sessions("0123456789abcdef0123456789abcdef", FileStore(tmp_path / "sessions"))

    def background(request: Request) -> str:
        for _ in range(3):
            request.app.background(let_go.wait, PATIENCE)
        return "started"

    def log_in(request: Request) -> str:
        request.session["user"] = "x"
        return "in"

    app = Application(
        [
            Route("/background", background),
            Route("/thread", lambda request: str(let_go.wait(PATIENCE)), run="thread"),
            Route("/file", lambda request: FileResponse(tmp_path / "a.txt")),
            Route("/login", log_in, middleware=[sessions]),
            Static("/static", tmp_path),
        ]
    )

    @app.on_startup
    async def limit() -> None:
        for pool in (BACKGROUND, CALLS):
            pool.set_limit(asyncio.get_running_loop(), 1)

    with TestClient(app) as client:
        client.get("/background")
        for path in ("/static/a.txt", "/file", "/login"):
            assert client.get(path).status_code == 200
        assert not let_go.is_set()
        let_go.set()
        assert client.get("/thread").text == "True"
