"""The built-in middleware in pairs and all together: no header field is lost, and none is sent twice."""

import gc
import weakref
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

import pytest

from atlas import Application, AsyncRequest, Request, Response, Route, StreamingResponse
from atlas.web.middleware.compress import Compress
from atlas.web.middleware.conditional_get import ConditionalGet
from atlas.web.middleware.cors import CORS
from atlas.web.middleware.csrf import CSRF
from atlas.web.middleware.https_redirect import HTTPSRedirect
from atlas.web.middleware.rate_limit import RateLimit
from atlas.web.middleware.request_id import RequestID
from atlas.web.middleware.security_headers import SecurityHeaders
from atlas.web.middleware.sessions import Sessions
from atlas.web.middleware.timeout import Timeout
from atlas.web.middleware.trusted_hosts import TrustedHosts
from tests.web.transports.transport import Transport

Drive = Callable[..., list[dict[str, Any]]]
KEY = "a key that is long enough"
ORIGIN = b"https://friend.test"

BOX: dict[str, Callable[[], Any]] = {
    "CORS": lambda: CORS([ORIGIN.decode()], expose_headers=["x-own"], allow_credentials=True),
    "CSRF": lambda: CSRF(KEY, trusted_origins=[ORIGIN.decode()]),
    "Compress": lambda: Compress(codings=["gzip"]),
    "ConditionalGet": ConditionalGet,
    "HTTPSRedirect": HTTPSRedirect,
    "RateLimit": lambda: RateLimit("100/minute"),
    "RequestID": RequestID,
    "SecurityHeaders": SecurityHeaders,
    "Sessions": lambda: Sessions(KEY),
    "Timeout": lambda: Timeout(60),
    "TrustedHosts": lambda: TrustedHosts(["site.test"]),
}
OWN = {"vary": "accept", "cache-control": "private, max-age=9", "x-own": "1", "content-language": "en"}


def touch(request: Any) -> None:
    """Use whatever the middleware around has put there."""
    if "session" in request.scope:
        request.session["seen"] = True
    str(request.state.get("csrf_token"))


def page(request: Request) -> Response:
    touch(request)
    response = Response(b"page " * 500, headers=OWN)
    response.set_cookie("own", "1")
    return response


async def other(request: AsyncRequest) -> Response:
    return page(request)  # type: ignore[arg-type]  # it asks for nothing that an AsyncRequest would have to wait for


def stream(request: Request) -> Response:
    touch(request)

    def pieces() -> Iterator[bytes]:
        yield from [b"page " * 50] * 10

    response = StreamingResponse(pieces(), headers=OWN)
    response.set_cookie("own", "1")
    return response


def failing(request: Request) -> str:
    touch(request)
    raise ValueError("on purpose")


def post(request: Request) -> str:
    return "posted"


PATHS = ["/page", "/other", "/stream", "/failing", "/missing", "/post"]
ROUTES = [Route(f"/{each.__name__}", each) for each in (page, other, stream, failing)] + [
    Route("/post", post, ["POST"])
]


class Answer:
    """What came over the wire."""

    def __init__(self, sent: list[dict[str, Any]]) -> None:
        self.status = sent[0]["status"]
        self.fields = [(name.decode(), value.decode()) for name, value in sent[0]["headers"]]
        self.names = {name for name, _ in self.fields}
        self.headers = dict(self.fields)
        body = b"".join(event["body"] for event in sent[1:])
        self.size = len(body)
        packed = self.headers.get("content-encoding") == "gzip"
        self.body = zlib.decompress(body, 31) if packed and body else body

    @property
    def cookies(self) -> set[str]:
        return {value.partition("=")[0] for name, value in self.fields if name == "set-cookie"}

    @property
    def vary(self) -> set[str]:
        return {word.strip() for word in self.headers.get("vary", "").split(",")} - {""}


class Site:
    """The routes inside of some middleware."""

    def __init__(self, drive: Drive, names: tuple[str, ...]) -> None:
        self._drive = drive
        self._app = Application(ROUTES, middleware=[BOX[name]() for name in names])

    def __call__(self, path: str, method: str = "GET", **headers: bytes) -> Answer:
        fields = [(b"host", b"site.test"), (b"origin", ORIGIN), (b"accept-encoding", b"gzip")]
        fields += [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
        client = ("192.0.2.1", 1)
        sent = self._drive(self._app, path=path, method=method, scheme="https", headers=fields, client=client)
        answer = Answer(sent)
        repeated = [name for name, count in Counter(name for name, _ in answer.fields).items() if count > 1]
        assert repeated in ([], ["set-cookie"]), repeated
        cookies = [value for name, value in answer.fields if name == "set-cookie"]
        assert len(cookies) == len(answer.cookies)
        words = answer.headers.get("vary", "").lower().split(", ")
        assert len(words) == len(set(words))
        if "content-length" in answer.names and method == "GET":
            assert answer.size == int(answer.headers["content-length"])
        return answer


Alone = Callable[..., Answer]


@pytest.fixture(scope="module")
def known() -> dict[Any, Answer]:
    """What was answered before with no middleware, or with one: each pair is held against it."""
    return {}


@pytest.fixture
def alone(web_transport: Transport, drive: Drive, known: dict[Any, Answer]) -> Alone:
    """``alone(path, name)`` is the answer with that middleware, ``alone(path)`` the one without any."""

    def ask(path: str, *names: str, method: str = "GET") -> Answer:
        key = (web_transport.name, path, names, method)
        if key not in known:
            known[key] = Site(drive, names)(path, method)
        return known[key]

    return ask


def assert_together(drive: Drive, alone_with: Alone, names: tuple[str, ...], path: str) -> None:
    """What each of them says alone, they say together; and nothing else."""
    alone = [alone_with(path, name) for name in names]
    both, without = Site(drive, names)(path), alone_with(path)
    assert both.status == without.status
    assert both.body == without.body
    assert both.names == without.names.union(*(each.names for each in alone))
    assert both.cookies == without.cookies.union(*(each.cookies for each in alone))
    assert both.vary == without.vary.union(*(each.vary for each in alone))
    for name in without.names & (OWN.keys() - {"vary"}):
        assert both.headers[name] == without.headers[name]


@pytest.mark.parametrize("names", list(permutations(BOX, 2)), ids="-".join)
def test_a_pair(drive: Drive, alone: Alone, names: tuple[str, ...]) -> None:
    for path in PATHS[:4]:
        assert_together(drive, alone, names, path)
    # Of an error that ends it further out, the ones further in know nothing; of the rest they do.
    for path, method in (("/missing", "GET"), ("/post", "GET"), ("/post", "POST")):
        both, without = Site(drive, names)(path, method), alone(path, method=method)
        assert both.status == (403 if "CSRF" in names and method == "POST" else without.status)
        outermost = alone(path, names[0], method=method)
        assert both.names >= (without.names | outermost.names) - {"content-length"}


@pytest.mark.parametrize("names", list(permutations(BOX, 2)), ids="-".join)
def test_a_pair_and_a_head(drive: Drive, names: tuple[str, ...]) -> None:
    for path in ("/page", "/stream"):
        site = Site(drive, names)
        get, head = site(path), site(path, "HEAD")
        assert (head.status, head.size, head.names, head.cookies) == (get.status, 0, get.names, get.cookies)


@pytest.mark.parametrize("name", [name for name in BOX if name != "ConditionalGet"])
@pytest.mark.parametrize("outside", [True, False])
def test_a_pair_and_a_client_that_has_it(drive: Drive, name: str, outside: bool) -> None:
    site = Site(drive, ("ConditionalGet", name) if outside else (name, "ConditionalGet"))
    first = site("/page")
    second = site("/page", if_none_match=first.headers["etag"].encode())
    assert (second.status, second.size, second.headers["etag"]) == (304, 0, first.headers["etag"])
    of_the_body = {"content-type", "content-length", "content-encoding", "content-language"}
    assert second.names == first.names - of_the_body - {"content-security-policy"}  # its nonce is in the kept page
    assert (second.cookies, second.vary) == (first.cookies, first.vary)


@pytest.mark.parametrize("name", [name for name in BOX if name != "CORS"])
@pytest.mark.parametrize("outside", [True, False])
def test_a_pair_and_a_preflight(drive: Drive, name: str, outside: bool) -> None:
    site = Site(drive, ("CORS", name) if outside else (name, "CORS"))
    answer = site("/page", "OPTIONS", access_control_request_method=b"GET")
    assert (answer.status, answer.size) == (204, 0)
    assert answer.headers["access-control-allow-origin"] == ORIGIN.decode()
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert {"origin", "access-control-request-method"} <= answer.vary


class Mark:
    """Something that a request keeps."""


def test_nothing_of_a_request_stays(drive: Drive) -> None:
    marks = []

    def mark(request: Request) -> Response:
        request.state.mark = Mark()
        marks.append(weakref.ref(request.state.mark))
        return page(request)

    middleware = [make() for make in BOX.values()]
    middleware += [Sessions(KEY, "memory"), CSRF(store="session")]
    app = Application([Route("/", mark)], middleware=middleware)
    gc.collect()
    gc.disable()
    try:
        sent = drive(app, scheme="https", headers=[(b"host", b"site.test")], client=("192.0.2.1", 1))
        assert sent[0]["status"] == 200
        assert [mark() for mark in marks] == [None]
    finally:
        gc.enable()


ORDER = (
    "RequestID",
    "TrustedHosts",
    "HTTPSRedirect",
    "SecurityHeaders",
    "CORS",
    "RateLimit",
    "Timeout",
    "Compress",
    "ConditionalGet",
    "Sessions",
    "CSRF",
)


@pytest.mark.parametrize("names", [ORDER, ORDER[::-1], tuple(BOX)], ids=["as advised", "backwards", "by name"])
def test_all_at_once(drive: Drive, alone: Alone, names: tuple[str, ...]) -> None:
    assert sorted(names) == sorted(BOX)
    for path in PATHS[:4]:
        assert_together(drive, alone, names, path)
    site = Site(drive, names)
    assert site("/post", "POST").status == 403
    first = site("/page")
    assert site("/page", if_none_match=first.headers["etag"].encode()).status == 304
