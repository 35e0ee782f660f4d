from collections.abc import Callable
from typing import Any

import httpx
import pytest

from atlas import Application, Request, Route
from atlas.web.middleware.rate_limit import RateLimit, client_network

Ask = Callable[..., httpx.Response]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def by_header(request: Any) -> str | None:
    return request.headers.get("x-name")


def site(*limits: RateLimit) -> Application:
    def page(request: Request) -> str:
        return "page"

    return Application([Route("/", page)], middleware=limits)


def statuses(ask: Ask, app: Application, *names: str) -> list[int]:
    return [ask(app, "GET", "/", headers={"x-name": name}).status_code for name in names]


def test_requests_over_the_rate_are_refused(ask: Ask, clock: Clock) -> None:
    app = site(RateLimit("2/minute", key=by_header, clock=clock))
    assert statuses(ask, app, "a", "a", "a", "b") == [200, 200, 429, 200]


def test_tokens_come_back_over_time(ask: Ask, clock: Clock) -> None:
    app = site(RateLimit("2/minute", key=by_header, clock=clock))
    assert statuses(ask, app, "a", "a") == [200, 200]
    clock.now += 29
    assert statuses(ask, app, "a") == [429]
    clock.now += 1
    assert statuses(ask, app, "a", "a") == [200, 429]
    clock.now += 600  # the bucket is full before that
    assert statuses(ask, app, "a", "a", "a") == [200, 200, 429]


def test_the_fields_for_the_client(ask: Ask, clock: Clock) -> None:
    app = site(RateLimit("2/minute", key=by_header, clock=clock))
    headers = ask(app, "GET", "/", headers={"x-name": "a"}).headers
    assert headers["ratelimit-policy"] == '"default";q=2;w=60'
    assert headers["ratelimit"] == '"default";r=1;t=30'
    assert "retry-after" not in headers
    ask(app, "GET", "/", headers={"x-name": "a"})
    refused = ask(app, "GET", "/", headers={"x-name": "a"}).headers
    assert refused["retry-after"] == "30"
    assert refused.get_list("ratelimit") == ['"default";r=0;t=60']


def test_a_client_that_waits_for_retry_after_is_answered(ask: Ask, clock: Clock) -> None:
    app = site(RateLimit("7/minute", burst=1, key=by_header, clock=clock))
    assert statuses(ask, app, "a") == [200]
    clock.now += 0.25
    clock.now += int(ask(app, "GET", "/", headers={"x-name": "a"}).headers["retry-after"])
    assert statuses(ask, app, "a") == [200]


def test_a_burst_of_its_own(ask: Ask, clock: Clock) -> None:
    app = site(RateLimit("60 per hour", burst=3, key=by_header, clock=clock))
    assert statuses(ask, app, *"aaaa") == [200, 200, 200, 429]


def test_requests_without_a_key_are_not_limited(ask: Ask, clock: Clock) -> None:
    app = site(RateLimit("1/day", key=by_header, clock=clock))
    answers = [ask(app, "GET", "/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert "ratelimit" not in answers[0].headers


def test_the_least_recently_used_bucket_is_dropped(ask: Ask, clock: Clock) -> None:
    limit = RateLimit("1/day", key=by_header, size=2, clock=clock)
    assert statuses(ask, site(limit), "a", "b", "a", "c") == [200, 200, 429, 200]
    assert list(limit._own._buckets) == ["a", "c"]
    assert statuses(ask, site(limit), "a", "b") == [429, 200]


def test_two_limits_around_one_page(ask: Ask, clock: Clock) -> None:
    app = site(
        RateLimit("9/hour", name="hour", key=by_header, clock=clock),
        RateLimit("1/second", name="second", key=by_header, clock=clock),
    )
    headers = ask(app, "GET", "/", headers={"x-name": "a"}).headers
    assert headers["ratelimit"] == '"second";r=0;t=1, "hour";r=8;t=400'
    refused = ask(app, "GET", "/", headers={"x-name": "a"})
    assert (refused.status_code, refused.headers["ratelimit"]) == (429, '"second";r=0;t=1, "hour";r=7;t=800')


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2"),
        ("2001:db8::1", "2001:db8:0:0"),
        ("::1", "0:0:0:0"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"),
        ("64:ff9b::192.0.2.1", "192.0.2.1"),
        ("2001:0DB8:0000:1::1", "2001:db8:0:1"),
        ("unix:socket", "unix:socket"),
        (None, ""),
    ],
)
def test_a_client_is_its_network(address: str | None, key: str) -> None:
    client = (address, 1) if address is not None else None
    assert client_network(Request(None, {"type": "http", "client": client}, None)) == key  # type: ignore[arg-type]


def test_clients_behind_a_proxy_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    for field in (b"x-forwarded-for", b"forwarded"):
        caplog.clear()
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/",
            "client": ("10.0.0.1", 1),
            "headers": [(field, b"192.0.2.9")],
        }
        limit = RateLimit("100/minute")
        for _ in range(2):
            limit.before(Request(Application(), scope, None))  # type: ignore[arg-type]
        lines = [record.getMessage() for record in caplog.records if record.name == "atlas.web"]
        assert len(lines) == 1
        assert "all clients behind the proxy" in lines[0]
        assert "--forwarded-allow-ips" in lines[0]


@pytest.mark.parametrize("field", ["10.0.0.1, 192.0.2.9", "192.0.2.9"])
def test_a_proxy_that_the_server_trusts(field: str, caplog: pytest.LogCaptureFixture) -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "client": ("192.0.2.9", 1),
        "headers": [(b"x-forwarded-for", field.encode())],
    }
    RateLimit("1/minute").before(Request(Application(), scope, None))  # type: ignore[arg-type]
    assert not caplog.records


def test_without_a_key_it_is_the_address(ask: Ask, clock: Clock) -> None:
    app = site(RateLimit("1/minute", clock=clock))
    assert [ask(app, "GET", "/").status_code for _ in range(2)] == [200, 429]


@pytest.mark.parametrize("rate", ["", "5", "0/minute", "-1/minute", "5/fortnight", "5.5/minute", None, 5])
def test_what_is_no_rate(rate: Any) -> None:
    with pytest.raises(ValueError, match="RateLimit: expected a rate such as '100/minute'"):
        RateLimit(rate)


@pytest.mark.parametrize("options", [{"burst": 0}, {"size": 0}, {"name": "a b"}, {"name": ""}])
def test_invalid_options(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="RateLimit"):
        RateLimit("1/second", **options)


def test_a_key_is_a_function() -> None:
    with pytest.raises(TypeError, match="RateLimit: key"):
        RateLimit("1/second", key="ip")  # type: ignore[arg-type]
