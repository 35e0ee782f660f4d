"""A session that a request has ended stays so, whatever a slower request does that has begun before."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from atlas import Application, Request, Route, StreamingResponse
from atlas.web.middleware.sessions import Sessions
from atlas.web.stores.files import FileStore
from atlas.web.stores.memory import MemoryStore

Ask = Callable[..., httpx.Response]
KEY = "a key that is long enough"


class Clock:
    now = 2_000_000_000.0

    def __call__(self) -> float:
        return self.now


class Plain:
    """A store of the four methods, as other programs have written them, ``def`` and ``async def``."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.before_set: Callable[[], Any] | None = None

    async def get(self, name: str) -> bytes | None:
        return self.kept.get(name)

    def set(self, name: str, data: bytes, seconds: float) -> None:
        if self.before_set is not None and not name.startswith("ended:"):
            hook, self.before_set = self.before_set, None
            hook()
        self.kept[name] = data

    async def delete(self, name: str) -> None:
        self.kept.pop(name, None)

    def touch(self, name: str, seconds: float) -> None:
        pass


@pytest.fixture(params=["memory", "file", "other"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return {"memory": MemoryStore, "file": lambda: FileStore(tmp_path / "kept"), "other": Plain}[request.param]()


class Site:
    """An application, with a browser that has one cookie."""

    def __init__(self, ask: Ask, store: Any, clock: Clock | None = None) -> None:
        self._ask = ask
        self.during: Callable[[], Any] = lambda: None
        sessions = Sessions(KEY, store, max_age=800, clock=clock or Clock())
        routes = [
            Route("/login", self.login),
            Route("/logout", self.logout),
            Route("/rotate", self.rotate),
            Route("/who", self.who),
            Route("/slow/{what}", self.slow, run="thread"),
        ]
        self.app = Application(routes, middleware=[sessions])
        self.cookie = self.get("/login").headers["set-cookie"].partition(";")[0]
        assert self.user() == "alice"

    def get(self, path: str, cookie: str | None = None) -> httpx.Response:
        cookie = cookie or getattr(self, "cookie", None)
        return self._ask(self.app, "GET", path, headers={"cookie": cookie} if cookie else {})

    def user(self, response: httpx.Response | None = None) -> str:
        """The user of the cookie, or of the one that a response has set."""
        fields = response.headers.get_list("set-cookie") if response is not None else [self.cookie]
        return self.get("/who", fields[0].partition(";")[0]).text if fields else "no cookie"

    def login(self, request: Request) -> str:
        request.session.rotate()
        request.session["user"] = "alice"
        return "in"

    def logout(self, request: Request) -> str:
        request.session.clear()
        return "out"

    def rotate(self, request: Request) -> str:
        request.session.rotate()
        return "rotated"

    def who(self, request: Request) -> str:
        return str(request.session.get("user", "anonymous"))

    def slow(self, request: Request, what: str) -> str:
        session = request.session
        if what == "change":
            session["seen"] = "report"
        elif what == "rotate":
            session.rotate()
        elif what == "login":
            session.rotate()
            session["user"] = "bob"
        elif what == "begin":
            session.clear()
            session["user"] = "bob"
        else:
            dict(session)
        self.during()
        return "slow"


@pytest.mark.parametrize("end", ["/logout", "/rotate"])
@pytest.mark.parametrize("what", ["read", "change", "rotate"])
def test_the_old_cookie_stays_invalid(ask: Ask, store: Any, end: str, what: str) -> None:
    site = Site(ask, store)
    ended: list[httpx.Response] = []
    site.during = lambda: ended.append(site.get(end))
    slow = site.get(f"/slow/{what}")
    assert slow.text == "slow"
    assert site.user() == "anonymous"
    assert "set-cookie" not in slow.headers, "it would replace the cookie of the request that has ended the session"
    assert "cookie" in slow.headers["vary"]
    assert site.user(ended[0]) == ("anonymous" if end == "/logout" else "alice")


@pytest.mark.parametrize("what", ["login", "begin"])
def test_a_login_in_the_slower_request_is_good(ask: Ask, store: Any, what: str) -> None:
    site = Site(ask, store)
    site.during = lambda: site.get("/logout")
    slow = site.get(f"/slow/{what}")
    assert site.user() == "anonymous"
    assert site.user(slow) == "bob"


def test_a_session_that_goes_on_is_saved(ask: Ask, store: Any) -> None:
    site = Site(ask, store)
    site.during = site.user
    assert site.user(site.get("/slow/change")) == "alice"
    assert site.user() == "alice"
    rotated = site.get("/slow/rotate")
    assert (site.user(), site.user(rotated)) == ("anonymous", "alice")


def test_renewal_of_an_ended_session(ask: Ask, store: Any) -> None:
    clock = Clock()
    site = Site(ask, store, clock)
    clock.now += 700
    site.during = lambda: site.get("/logout")
    assert "set-cookie" not in site.get("/slow/read").headers
    assert site.user() == "anonymous"


def test_a_store_without_replace_that_is_changed_between_its_calls(ask: Ask) -> None:
    store = Plain()
    site = Site(ask, store)
    store.before_set = lambda: store.kept.update({f"ended:{name}": b"1" for name in list(store.kept)})
    assert "set-cookie" not in site.get("/slow/change").headers
    assert site.user() == "anonymous"


def test_new_values_are_never_saved_under_an_old_name(ask: Ask) -> None:
    class Watched(MemoryStore):
        def replace(self, name: str, data: bytes, seconds: float) -> bool:
            assert b"bob" not in data
            return super().replace(name, data, seconds)

    site = Site(ask, Watched())
    assert site.user(site.get("/slow/login")) == "bob"


def test_a_change_in_a_generator_says_so(ask: Ask) -> None:
    said: list[str] = []

    def stream(request: Request) -> StreamingResponse:
        def pieces() -> Any:
            yield "one"
            try:
                request.session["seen"] = True
            except RuntimeError as error:
                said.append(str(error))
            yield f" {request.session.get('user')}"

        return StreamingResponse(pieces())

    def put(request: Request) -> str:
        request.session["user"] = "alice"
        return "put"

    for store in ("cookie", "memory"):
        sessions = Sessions(KEY, store)  # type: ignore[arg-type]
        app = Application([Route("/put", put), Route("/stream", stream)], middleware=[sessions])
        cookie = ask(app, "GET", "/put").headers["set-cookie"].partition(";")[0]
        response = ask(app, "GET", "/stream", headers={"cookie": cookie})
        assert response.text == "one alice"
        assert response.headers["cache-control"] == "private", "the generator has read the session"
    assert len(said) == 2
    assert "after the response had begun" in said[0]
