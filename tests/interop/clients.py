"""Three clients behind one small face: httpx, aiohttp and curl. Each keeps cookies from one request to the next."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import aiohttp
import httpx

T = TypeVar("T")


@dataclass(frozen=True)
class BaseResponse:
    status: int
    headers: dict[str, str]
    body: bytes


class Client(Protocol):
    def ask(self, method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None) -> BaseResponse:
        """One request; redirects are not followed."""

    def close(self) -> None: ...


class Httpx:
    def __init__(self) -> None:
        self._client = httpx.Client(trust_env=False, timeout=20)

    def ask(self, method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None) -> BaseResponse:
        reply = self._client.request(method, url, content=body or None, headers=headers)
        return BaseResponse(reply.status_code, dict(reply.headers), reply.content)

    def close(self) -> None:
        self._client.close()


class Aiohttp:
    """aiohttp's client, in a loop that runs only while it is asked something."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._session: aiohttp.ClientSession = self._runner.run(self._open())

    async def _open(self) -> aiohttp.ClientSession:
        jar = aiohttp.CookieJar(unsafe=True)  # cookies of an address, too
        return aiohttp.ClientSession(cookie_jar=jar, timeout=aiohttp.ClientTimeout(20))

    def ask(self, method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None) -> BaseResponse:
        return self._runner.run(self._ask(method, url, body, headers))

    async def _ask(self, method: str, url: str, body: bytes, headers: dict[str, str] | None) -> BaseResponse:
        options: dict[str, Any] = {"data": body or None, "headers": headers, "allow_redirects": False}
        async with self._session.request(method, url, **options) as reply:
            return BaseResponse(
                reply.status, {name.lower(): value for name, value in reply.headers.items()}, await reply.read()
            )

    def use(self, work: Callable[[aiohttp.ClientSession], Coroutine[Any, Any, T]]) -> T:
        """Whatever else can be done with a session."""
        return self._runner.run(work(self._session))

    def post_expecting_100(self, url: str, body: bytes) -> tuple[int, bytes]:
        """Status and body of an upload that waits for leave before it sends anything."""

        async def post(session: aiohttp.ClientSession) -> tuple[int, bytes]:
            async with session.post(url, data=body, expect100=True) as reply:
                return reply.status, await reply.read()

        return self.use(post)

    def __enter__(self) -> Aiohttp:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._runner.run(self._session.close())
        self._runner.close()


class Curl:
    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder

    def ask(self, method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None) -> BaseResponse:
        jar, out, head = (str(self._folder / name) for name in ("cookies", "body", "head"))
        command = [self._program, "-sS", "--max-time", "20", "-b", jar, "-c", jar, "-o", out, "-D", head, "-X", method]
        for name, value in (headers or {}).items():
            command += ["-H", f"{name}: {value}"]
        if body:
            command += ["--data-binary", "@-"]
        subprocess.run([*command, url], input=body, check=True)
        blocks = Path(head).read_bytes().strip().split(b"\r\n\r\n")  # a 100 Continue makes a block of its own
        status, *lines = blocks[-1].decode("latin-1").split("\r\n")
        pairs = (line.split(": ", 1) for line in lines)
        content = Path(out).read_bytes() if Path(out).exists() else b""
        return BaseResponse(int(status.split()[1]), {name.lower(): value for name, value in pairs}, content)

    def close(self) -> None:
        pass
