import asyncio
import importlib.util
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "lasgi_hello.py"
MANY = 200


@pytest.fixture
def address(serve: Callable[..., Any]) -> str:
    spec = importlib.util.spec_from_file_location("lasgi_hello", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    server = serve(module.app, lifespan="on")
    return "http://{}:{}/".format(*server.sockets[0].getsockname()[:2])


def test_it_answers(address: str) -> None:
    with httpx.Client() as client:
        assert client.get(address).text == "Hello, after 0 seconds!\n"
        assert client.post(address, content=b"0.01").text == "Hello, after 0.01 seconds!\n"
        assert [client.post(address, content=body).status_code for body in (b"soon", b"nan", b"-1", b"61")] == [400] * 4


def test_curl_is_answered(address: str, curl: str) -> None:
    done = subprocess.run([curl, "-s", "-d", "0.01", address], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "Hello, after 0.01 seconds!\n"


def test_hundreds_wait_at_the_same_time(address: str) -> None:
    """One after the other they would take more than three minutes."""

    async def go() -> list[int]:
        limits = httpx.Limits(max_connections=MANY)
        async with httpx.AsyncClient(limits=limits, timeout=60) as client, asyncio.timeout(60):
            answers = await asyncio.gather(*(client.post(address, content=b"1") for _ in range(MANY)))
        return [answer.status_code for answer in answers]

    assert asyncio.run(go()) == [200] * MANY
