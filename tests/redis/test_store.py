"""What ``RedisStore`` has beside the interface of stores, which tests/web/stores/test_store.py tests."""

import asyncio
import logging
from typing import Any

import pytest

from atlas import Application, RateLimit, Request, Route, Sessions, StartupError, TestClient
from atlas.redis import RedisStore
from atlas.web.stores.store import StoreUnavailable

KEY = "0123456789abcdef0123456789abcdef"


def count(request: Request) -> Any:
    request.session["n"] = request.session.get("n", 0) + 1
    return {"n": request.session["n"]}


def logout(request: Request) -> str:
    request.session.clear()
    return "out"


def site(url: str, **options: Any) -> Application:
    store = RedisStore(url, prefix="shop:", **options)
    return Application([Route("/", count), Route("/out", logout)], middleware=[Sessions(KEY, store)])


def test_two_applications_share_their_sessions(redis_server: Any) -> None:
    with TestClient(site(redis_server.url)) as first, TestClient(site(redis_server.url)) as second:
        assert first.get("/").json() == {"n": 1}
        second.cookies.update(first.cookies)
        assert second.get("/").json() == {"n": 2}
        assert first.get("/").json() == {"n": 3}
        second.get("/out")
        assert first.get("/").json() == {"n": 1}


def test_the_keys_begin_with_the_prefix_and_expire(redis_server: Any) -> None:
    with TestClient(site(redis_server.url)) as client:
        client.get("/")
    with redis_server.client() as look:
        (key,) = look.keys()
        assert key.startswith(b"shop:")
        assert 0 < look.ttl(key) <= 14 * 24 * 3600


def test_the_connections_close_with_the_application(redis_server: Any) -> None:
    with redis_server.client() as look:
        before = len(look.client_list())
        with TestClient(site(redis_server.url)) as client:
            client.get("/")
            assert len(look.client_list()) > before
        assert len(look.client_list()) == before


def test_without_the_server_the_answer_is_503(redis_server: Any, caplog: pytest.LogCaptureFixture) -> None:
    from tests.redis_server import RedisServer

    with RedisServer.running() as own, TestClient(site(own.url)) as client:
        assert client.get("/").json() == {"n": 1}
        own.stop()
        with caplog.at_level(logging.ERROR, "atlas.redis"):
            answers = [client.get("/") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [503] * 3
        assert answers[0].headers["retry-after"] == "5"
        assert len(caplog.records) == 1
        assert "Redis does not answer" in caplog.text
        own.start()
        assert client.get("/").json() == {"n": 1}  # its entries were in memory


def test_outside_of_a_request_it_raises() -> None:
    async def ask() -> None:
        store = RedisStore("redis://127.0.0.1:1/0")
        try:
            await store.get("a")
        finally:
            await store.aclose()

    with pytest.raises(StoreUnavailable) as error:
        asyncio.run(ask())
    assert isinstance(error.value.__cause__, Exception)


def test_a_server_that_never_answers(caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        store = RedisStore(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout=0.05)
        try:
            await store.get("a")
        finally:
            await store.aclose()
            server.close()

    with pytest.raises(StoreUnavailable):
        asyncio.run(ask())
    assert "TimeoutError" in caplog.text


def test_a_value_of_another_kind_is_an_error(redis_server: Any) -> None:
    with redis_server.client() as look:
        look.lpush("atlas:list", 1)

    async def ask() -> None:
        store = RedisStore(redis_server.url)
        try:
            await store.get("list")
        finally:
            await store.aclose()

    with pytest.raises(Exception, match="WRONGTYPE"):
        asyncio.run(ask())


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"timeout": 0}, ValueError, "timeout: expected seconds above 0, got 0"),
        ({"max_connections": 0}, ValueError, "max_connections"),
        ({"url": "cache:6379"}, StartupError, "cache:6379"),
    ],
)
def test_wrong_options(options: dict[str, Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        RedisStore(**options)


def page(request: Request) -> str:
    return "page"


def limited(store: Any) -> Application:
    limit = RateLimit("2/hour", key=lambda request: "all", store=store)
    return Application([Route("/", page)], middleware=[limit])


def test_two_applications_share_a_rate(redis_server: Any) -> None:
    apps = [limited(RedisStore(redis_server.url)) for _ in range(2)]
    with TestClient(apps[0]) as first, TestClient(apps[1]) as second:
        answers = [client.get("/") for client in (first, second, first, second)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert answers[0].headers["ratelimit"] == '"default";r=1;t=1800'
    assert answers[2].headers["retry-after"] == "1800"


def test_without_the_server_each_process_counts(redis_server: Any, caplog: pytest.LogCaptureFixture) -> None:
    with TestClient(limited(RedisStore("redis://127.0.0.1:1/0"))) as client:
        assert [client.get("/").status_code for _ in range(3)] == [200, 200, 429]
    assert caplog.text.count("each process uses its own buckets") == 1
