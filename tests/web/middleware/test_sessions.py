import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas import Application, AsyncRequest, Request, Response, Route, StartupError
from atlas.web.middleware.csrf import CSRF
from atlas.web.middleware.sessions import Sessions, SessionTooLarge, _pack, _unpack
from atlas.web.stores.files import FileStore
from atlas.web.stores.memory import MemoryStore
from tests.web.transports import transport

Ask = Callable[..., httpx.Response]
KEY, OLDER = "a key that is long enough", "the key from before that one"


class Clock:
    now = 2_000_000_000.0

    def __call__(self) -> float:
        return self.now


class Browser:
    """Keeps the session cookie like a browser, and ignores its expiry."""

    def __init__(self, ask: Ask, app: Application) -> None:
        self._ask, self._app = ask, app
        self.cookie: str | None = None

    def get(self, path: str, **params: str) -> httpx.Response:
        headers = {} if self.cookie is None else {"cookie": f"session={self.cookie}"}
        response = self._ask(self._app, "GET", path, params=params, headers=headers)
        for field in response.headers.get_list("set-cookie"):
            self.cookie = field.partition(";")[0].partition("=")[2] or None
        return response


def show(request: Request) -> Any:
    return dict(request.session)


def put(request: Request) -> str:
    request.session.update(request.query)
    return "put"


async def login(request: AsyncRequest) -> str:
    request.session.rotate()
    request.session["user"] = request.query["user"]
    return "in"


def logout(request: Request) -> str:
    request.session.clear()
    return "out"


def nothing(request: Request) -> str:
    return "nothing"


def cached(request: Request) -> Response:
    request.session["a"] = "b"
    return Response("cached", headers={"cache-control": "public, max-age=60", "vary": "accept"})


def public(request: Request) -> Response:
    _ = len(request.session)
    return Response("public", headers={"cache-control": "public, max-age=60"})


def failing(request: Request) -> str:
    request.session["a"] = "b"
    raise ValueError("on purpose")


ROUTES = [Route(f"/{page.__name__}", page) for page in (show, put, login, logout, nothing, cached, public, failing)]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["cookie", "memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Any:
    made = {"cookie": "cookie", "memory": MemoryStore(clock=clock), "file": FileStore(tmp_path / "s", clock=clock)}
    return made[request.param]


@pytest.fixture
def browse(ask: Ask, clock: Clock) -> Callable[..., Browser]:
    def open_browser(store: Any = "cookie", key: Any = KEY, **options: Any) -> Browser:
        return Browser(ask, Application(ROUTES, middleware=[Sessions(key, store, clock=clock, **options)]))

    return open_browser


Browse = Callable[..., Browser]


def test_values_are_kept_between_requests(browse: Browse, store: Any) -> None:
    browser = browse(store)
    browser.get("/put", a="1", b="ü")
    browser.get("/put", c="2")
    assert browser.get("/show").json() == {"a": "1", "b": "ü", "c": "2"}


def test_two_visitors_share_nothing(browse: Browse, store: Any) -> None:
    one, two = browse(store), browse(store)
    one.get("/put", a="1")
    two.get("/put", a="2")
    assert [browser.get("/show").json() for browser in (one, two)] == [{"a": "1"}, {"a": "2"}]


def test_a_session_that_is_not_accessed_sets_no_cookie(browse: Browse, store: Any) -> None:
    browser = browse(store)
    assert set(browser.get("/nothing").headers) == {"content-type", "content-length"}
    browser.get("/put", a="1")
    assert set(browser.get("/nothing").headers) == {"content-type", "content-length"}


def test_a_session_that_is_not_changed_sets_no_cookie(browse: Browse, store: Any) -> None:
    headers = browse(store).get("/show").headers
    assert (headers["vary"], headers["cache-control"], "set-cookie" in headers) == ("cookie", "private", False)


def test_a_cookie_is_for_one_visitor(browse: Browse, store: Any) -> None:
    browser = browse(store)
    headers = browser.get("/cached").headers
    assert (headers["vary"], headers["cache-control"]) == ("accept, cookie", "no-store")
    headers = browser.get("/public").headers
    assert (headers["vary"], headers["cache-control"]) == ("cookie", "public, max-age=60")


def test_the_attributes_of_the_cookie(browse: Browse, store: Any) -> None:
    field = browse(store).get("/put", a="1").headers["set-cookie"]
    assert re.fullmatch(r"session=[\w.\-]+; Path=/; Max-Age=1209600; HttpOnly; SameSite=Lax", field)


def test_over_tls_the_cookie_is_secure(ask: Ask) -> None:
    app = Application(ROUTES, middleware=[Sessions(KEY)])
    assert "; Secure;" in ask(app, "GET", "https://site.test/put?a=1").headers["set-cookie"]
    app = Application(ROUTES, middleware=[Sessions(KEY, secure=False)])
    assert "Secure" not in ask(app, "GET", "https://site.test/put?a=1").headers["set-cookie"]


def test_other_attributes_of_the_cookie(browse: Browse) -> None:
    options = {"cookie": "__Secure-s", "secure": True, "path": "/x", "domain": "site.test", "samesite": "none"}
    field = browse(**options, permanent=False, httponly=False).get("/put", a="1").headers["set-cookie"]
    assert re.fullmatch(r"__Secure-s=[\w.\-]+; Path=/x; Domain=site.test; Secure; SameSite=None", field)


def test_a_cookie_with_an_invalid_signature_is_ignored(browse: Browse, store: Any) -> None:
    browser = browse(store)
    browser.get("/put", a="1")
    assert browser.cookie is not None
    for forged in (browser.cookie[1:], browser.cookie.swapcase(), "x", "", "a.b.c", "." * 50):
        assert Browser(browser._ask, browser._app).get("/show").json() == {}
        other = Browser(browser._ask, browser._app)
        other.cookie = forged
        assert other.get("/show").json() == {}
    assert browser.get("/show").json() == {"a": "1"}


def test_an_expired_session_is_ignored(browse: Browse, store: Any, clock: Clock) -> None:
    browser = browse(store, max_age=800)
    browser.get("/put", a="1")
    old = browser.cookie
    clock.now += 801
    assert browser.get("/show").json() == {}
    browser.cookie = old
    assert browser.get("/put", b="2").text == "put"
    assert browser.get("/show").json() == {"b": "2"}


def test_a_session_in_use_is_renewed(browse: Browse, store: Any, clock: Clock) -> None:
    browser = browse(store, max_age=800)
    browser.get("/put", a="1")
    clock.now += 99
    assert "set-cookie" not in browser.get("/show").headers
    for _ in range(3):
        clock.now += 700
        response = browser.get("/show")
        assert (response.json(), "set-cookie" in response.headers) == ({"a": "1"}, True)


def test_rotation_gives_a_new_name(browse: Browse, store: Any) -> None:
    browser = browse(store)
    browser.get("/put", cart="full")
    before = browser.cookie
    browser.get("/login", user="ada")
    assert browser.cookie != before
    assert browser.get("/show").json() == {"cart": "full", "user": "ada"}
    browser.cookie = before
    assert browser.get("/show").json() == ({"cart": "full"} if store == "cookie" else {})


def test_logout_takes_the_cookie_away(browse: Browse, store: Any) -> None:
    browser = browse(store)
    browser.get("/login", user="ada")
    before = browser.cookie
    field = browser.get("/logout").headers["set-cookie"]
    assert field == "session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
    assert (browser.cookie, browser.get("/show").json()) == (None, {})
    browser.cookie = before
    # A session in a cookie cannot be revoked, see the docstring of Sessions.
    assert browser.get("/show").json() == ({"user": "ada"} if store == "cookie" else {})


def test_an_unknown_name_is_never_used(browse: Browse) -> None:
    browser, elsewhere = browse(MemoryStore()), browse(MemoryStore())
    elsewhere.get("/put", a="1")
    browser.cookie = elsewhere.cookie
    browser.get("/put", b="2")
    assert browser.cookie != elsewhere.cookie


def test_cookies_of_one_store_are_refused_by_another(browse: Browse) -> None:
    data, named = browse("cookie"), browse("memory")
    data.get("/put", a="1")
    named.cookie = data.cookie
    assert named.get("/show").json() == {}


def test_an_error_keeps_the_session_too(browse: Browse, store: Any) -> None:
    browser = browse(store)
    assert browser.get("/failing").status_code == 500
    assert browser.get("/show").json() == {"a": "b"}


def test_keys_can_be_changed(browse: Browse, store: Any) -> None:
    old, new = browse(store, OLDER), browse(store, [KEY, OLDER])
    old.get("/put", a="1")
    new.cookie = old.cookie
    assert new.get("/show").json() == {"a": "1"}
    new.get("/put", a="2")
    old.cookie = new.cookie
    assert old.get("/show").json() == {}


@given(st.binary())
def test_packing_and_unpacking(data: bytes) -> None:
    packed = _pack(data)
    assert _unpack(packed) == data
    assert not set(packed) & set(b' ",;\\')
    _unpack(data)  # must not raise


def test_a_large_session_is_compressed(browse: Browse) -> None:
    browser = browse()
    browser.get("/put", text="a" * 10_000)
    assert browser.cookie is not None
    assert browser.cookie.startswith(".")
    assert browser.get("/show").json() == {"text": "a" * 10_000}


def test_a_session_too_large_for_a_cookie(browse: Browse, caplog: pytest.LogCaptureFixture) -> None:
    noise = "".join(chr(0x4E00 + number * 7919 % 20000) for number in range(2000))
    browser = browse()
    response = browser.get("/put", text=noise)
    assert (response.status_code, browser.cookie) == (500, None)
    error = next(record.exc_info[1] for record in caplog.records if record.exc_info)
    assert isinstance(error, SessionTooLarge)
    assert "use a store" in str(error)
    assert browse("memory").get("/put", text=noise).status_code == 200


def test_stores_may_be_sync_or_async() -> None:
    class Slow(MemoryStore):
        async def get(self, name: str) -> bytes | None:  # type: ignore[override]
            await asyncio.sleep(0)
            return super().get(name)

    assert Sessions(KEY, Slow())._store is not None


def test_without_the_middleware(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    assert ask(Application(ROUTES), "GET", "/show").status_code == 500
    assert "there is no Sessions middleware" in caplog.text


def test_the_key_of_the_configuration() -> None:
    middleware = Sessions()
    middleware.bind(Application(config={"secret_key": KEY}))
    assert middleware._signer.read(middleware._signer.sign(b"a"), 60) is not None
    with pytest.raises(StartupError, match=rf"{re.escape(__file__)}:\d+: Sessions: no secret key"):
        Sessions().bind(Application())
    with pytest.raises(RuntimeError, match="no secret key"):
        _ = Sessions()._signer


def test_sessions_signed_by_the_key_of_the_configuration(ask: Ask) -> None:
    app = Application(ROUTES, middleware=[Sessions()], config={"secret_key": [KEY, OLDER]})
    browser = Browser(ask, app)
    browser.get("/put", a="1")
    assert browser.get("/show").json() == {"a": "1"}


def test_an_explicit_key_takes_precedence() -> None:
    middleware = Sessions(KEY)
    signed = middleware._signer.sign(b"a")
    middleware.bind(Application(config={"secret_key": OLDER}))
    assert middleware._signer.read(signed, 60) is not None


@pytest.mark.parametrize(
    "options",
    [
        {"secret_key": "short"},
        {"secret_key": []},
        {"max_age": 0},
        {"samesite": "none"},
        {"cookie": "a b"},
        {"cookie": "__Host-s"},
        {"cookie": "__Host-s", "secure": True, "path": "/x"},
        {"cookie": "__Secure-s"},
        {"path": "/;x"},
    ],
)
def test_invalid_options(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"Sessions|cookie"):
        Sessions(**{"secret_key": KEY, **options})


@pytest.mark.parametrize(
    "options", [{"store": "redis"}, {"store": MemoryStore}, {"store": {}}, {"secret_key": 1}, {"max_age": "1"}]
)
def test_options_of_the_wrong_type(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        Sessions(**{"secret_key": KEY, **options})


@pytest.mark.parametrize(("root_path", "path"), [("", "/"), ("/shop", "/shop"), ("/my shop", "/my%20shop")])
def test_the_cookie_is_for_the_paths_of_the_application(root_path: str, path: str) -> None:
    def put_value(request: Request) -> str:
        request.session["a"] = str(request.state.csrf_token)
        return "put"

    for names, expected in ((("id", "csrf"), path), (("__Host-id", "__Host-csrf"), "/")):
        middleware = [Sessions(KEY, cookie=names[0], secure=True), CSRF(KEY, cookie=names[1], secure=True)]
        app = Application([Route("/", put_value)], middleware=middleware)
        request = {"method": "GET", "path": f"{root_path}/", "root_path": root_path, "headers": []}
        start, _ = transport.call(app, [{"type": "http.request", "body": b""}], **request)
        cookies = [value.decode() for key, value in start["headers"] if key == b"set-cookie"]
        assert [f"Path={expected};" in cookie for cookie in cookies] == [True, True]
