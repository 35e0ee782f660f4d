"""Several applications on one host, under different root paths and with the same key, do not share cookies."""

from base64 import urlsafe_b64encode
from http.cookies import SimpleCookie
from typing import Any

import pytest

from atlas import Application, Request, Route
from atlas.web.cookies import cookie_name
from atlas.web.middleware.csrf import CSRF
from atlas.web.middleware.sessions import Sessions
from atlas.web.sessions.signing import SignedValues
from tests.web.transports import transport

KEY = "a key that is long enough"
STORES = ["cookie", "memory"]


def login(request: Request) -> str:
    request.session["user"] = "ada"
    return str(request.state.csrf_token)


def user(request: Request) -> str:
    return str(request.session.get("user"))


class Site:
    """One application with both middlewares, which may be called under any root path."""

    def __init__(self, **options: Any) -> None:
        names = options.pop("names", {})
        middleware = [Sessions(KEY, cookie=names.get("session"), **options), CSRF(KEY, cookie=names.get("csrf"))]
        routes = [Route("/login", login), Route("/user", user), Route("/save", user, ["POST"])]
        self.app = Application(routes, middleware=middleware)
        self.token = ""

    def call(self, root_path: str, path: str, cookies: dict[str, str], method: str = "GET") -> tuple[int, str, Any]:
        cookie = "; ".join(f"{name}={value}" for name, value in cookies.items()).encode()
        headers = [(b"cookie", cookie), (b"x-csrf-token", self.token.encode())]
        scope = {"method": method, "path": root_path.rstrip("/") + path, "root_path": root_path, "headers": headers}
        start, body = transport.call(self.app, [{"type": "http.request", "body": b""}], **scope)
        received: SimpleCookie = SimpleCookie()
        for name, value in start["headers"]:
            if name == b"set-cookie":
                received.load(value.decode())
        return start["status"], body["body"].decode(), {name: morsel.value for name, morsel in received.items()}

    def log_in(self, root_path: str) -> dict[str, str]:
        _, self.token, cookies = self.call(root_path, "/login", {})
        return dict(cookies)


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(
    ("root_path", "names"),
    [
        ("", {"session", "csrf"}),
        ("/", {"session", "csrf"}),
        ("/shop", {"session_shop", "csrf_shop"}),
        ("/shop/", {"session_shop", "csrf_shop"}),
        ("/my shop/é/2", {"session_my_shop_2", "csrf_my_shop_2"}),
    ],
)
def test_an_application_reads_its_own_cookies(store: Any, root_path: str, names: set[str]) -> None:
    site = Site(store=store)
    cookies = site.log_in(root_path)
    assert set(cookies) == names
    assert site.call(root_path, "/user", cookies)[:2] == (200, "ada")
    assert site.call(root_path, "/save", cookies, "POST")[:2] == (200, "ada")


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("names", [{}, {"session": "id", "csrf": "token"}], ids=["default names", "own names"])
@pytest.mark.parametrize(("one", "other"), [("", "/shop"), ("/shop", ""), ("/shop", "/wiki"), ("/a/b", "/a_b")])
def test_it_accepts_no_cookie_of_another_one(store: Any, names: dict[str, str], one: str, other: str) -> None:
    site = Site(store=store, names=names)
    cookies = site.log_in(one)
    expected = [names.get(kind) or cookie_name(kind, other) for kind in ("session", "csrf")]
    renamed = dict(zip(expected, (cookies[name] for name in sorted(cookies, key=_is_csrf)), strict=True))
    assert site.call(one, "/user", cookies)[1] == "ada"
    assert site.call(other, "/user", renamed)[1] == "None"
    assert site.call(other, "/save", renamed, "POST")[0] == 403


def _is_csrf(name: str) -> bool:
    return name.startswith(("csrf", "token"))


def test_own_names_stay_as_they_are() -> None:
    assert set(Site(names={"session": "session", "csrf": "csrf"}).log_in("/shop")) == {"session", "csrf"}


def test_cookies_without_a_root_path_are_signed_as_ever() -> None:
    signed = SignedValues([KEY], "session.data.session").sign(urlsafe_b64encode(b'{"user":"ada"}').rstrip(b"="))
    for root_path in ("", "/"):
        assert Site().call(root_path, "/user", {"session": signed})[1] == "ada"
