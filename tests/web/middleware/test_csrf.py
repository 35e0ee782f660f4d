from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas import (
    Application,
    AsyncRequest,
    Forbidden,
    Request,
    Response,
    Route,
    StartupError,
    StreamingResponse,
    render,
)
from atlas.web.middleware.csrf import CSRF, CSRFToken
from atlas.web.middleware.security_headers import SecurityHeaders
from atlas.web.middleware.sessions import Sessions
from atlas.web.mounts import Mount
from atlas.web.stores.memory import MemoryStore

Ask = Callable[..., httpx.Response]
Drive = Callable[..., list[dict[str, Any]]]
KEY, OTHER = "a key that is long enough", "another key, as long as that"
SITE = "http://site.test"
FORM = {"content-type": "application/x-www-form-urlencoded"}


def form(request: Request) -> str:
    return str(request.state.csrf_token)


def plain(request: Request) -> str:
    return "no form"


def post(request: Request) -> str:
    return "posted " + request.form().get("name", "nothing")


async def post_async(request: AsyncRequest) -> str:
    return "posted " + (await request.form()).get("name", "nothing")


def data(request: Request) -> str:
    return f"{len(request.body())} bytes"


def login(request: Request) -> str:
    request.session.rotate()
    return str(request.state.csrf_token)


def hook(request: Request) -> str:
    return "hooked"


def late(request: Request) -> StreamingResponse:
    def pieces() -> Iterator[str]:
        yield ""  # the response has begun
        yield str(request.state.csrf_token)

    return StreamingResponse(pieces(), content_type=request.query["kind"])


ROUTES = [
    Route("/form", form),
    Route("/plain", plain),
    Route("/post", post, ["POST"]),
    Route("/async", post_async, ["POST"]),
    Route("/data", data, ["PUT", "POST", "DELETE"]),
    Route("/login", login, ["POST"]),
    Route("/hooks/{name}", lambda request, name: "hooked", ["POST"], name="hooks"),
    Route("/hook", hook, ["POST"]),
    Route("/late", late),
    Route("/{slug}", lambda request, slug: slug, ["POST"], name="slug"),
]


class Browser:
    """Keeps cookies, and sends forms as a browser does."""

    def __init__(self, ask: Ask, app: Application) -> None:
        self.ask, self.app = ask, app
        self.cookies: dict[str, str] = {}

    def __call__(self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any) -> httpx.Response:
        cookie = (
            {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
        )
        response = self.ask(self.app, method, path, headers={**cookie, **(headers or {})}, **options)
        for field in response.headers.get_list("set-cookie"):
            name, _, value = field.partition(";")[0].partition("=")
            self.cookies[name] = value
        return response

    def post(self, token: str | None, path: str = "/post", **headers: str) -> int:
        fields = {"name": "ada"} | ({"csrf_token": token} if token is not None else {})
        return self(
            "POST", path, {name.replace("_", "-"): value for name, value in headers.items()}, data=fields
        ).status_code


@pytest.fixture(params=["cookie", "session", "session in a store"])
def browser(request: pytest.FixtureRequest, ask: Ask) -> Browser:
    middleware: list[Any] = [CSRF(KEY, exempt=["hooks", "/hook", "/open/*"], trusted_origins=["https://friend.test"])]
    if request.param != "cookie":
        store: Any = "cookie" if request.param == "session" else MemoryStore()
        options = {"exempt": ["hooks", "/hook"], "trusted_origins": ["https://friend.test"]}
        middleware = [Sessions(KEY, store), CSRF(store="session", **options)]
    return Browser(ask, Application(ROUTES, middleware=middleware))


@pytest.fixture
def app() -> Application:
    return Application(ROUTES, middleware=[CSRF(KEY)])


def test_a_form_with_a_token_is_accepted(browser: Browser) -> None:
    token = browser("GET", "/form").text
    response = browser("POST", "/post", data={"csrf_token": token, "name": "ada"})
    assert (response.status_code, response.text) == (200, "posted ada")
    assert browser("POST", "/async", data={"csrf_token": token, "name": "bob"}).text == "posted bob"


def test_a_form_with_files_too(browser: Browser) -> None:
    token = browser("GET", "/form").text
    for path in ("/post", "/async"):
        options: Any = {"data": {"csrf_token": token, "name": "ada"}, "files": {"f": ("a.txt", b"text")}}
        assert browser("POST", path, **options).text == "posted ada"


@pytest.mark.parametrize("path", ["/post", "/async", "/mounted/x"])
@pytest.mark.parametrize("announced", [True, False])
def test_a_long_form_too(drive: Drive, path: str, announced: bool) -> None:
    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        event = await receive()
        await Response(b"posted %d" % len(event["body"]))(scope, receive, send)

    app = Application([*ROUTES, Mount("/mounted", mounted)], middleware=[CSRF(KEY)])
    start, page = drive(app, path="/form")
    cookie = dict(start["headers"])[b"set-cookie"].partition(b";")[0]
    fields = {b"csrf_token": page["body"], b"name": b"ada", b'f"; filename="f': b"z" * 3_000_000}
    parts = [b'--x\r\ncontent-disposition: form-data; name="%s"\r\n\r\n%s\r\n' % field for field in fields.items()]
    pieces = [*parts, b"--x--\r\n"]
    headers = [(b"cookie", cookie), (b"content-type", b"multipart/form-data; boundary=x")]
    size = sum(len(piece) for piece in pieces)
    if announced:
        headers.append((b"content-length", b"%d" % size))
    events = [{"type": "http.request", "body": piece, "more_body": piece is not pieces[-1]} for piece in pieces]
    answer = drive(app, events, path=path, method="POST", headers=headers)
    text = b"posted %d" % size if path == "/mounted/x" else b"posted ada"
    assert (answer[0]["status"], answer[1]["body"]) == (200, text)


def test_a_script_sends_it_in_a_header_field(browser: Browser) -> None:
    token = browser("GET", "/form").text
    response = browser("PUT", "/data", {"x-csrf-token": token}, json=[1, 2])
    assert (response.status_code, response.text) == (200, "5 bytes")
    assert browser("DELETE", "/data", {"x-csrf-token": token}).status_code == 200


def test_without_a_token(browser: Browser) -> None:
    browser("GET", "/form")
    assert browser.post(None) == 403
    assert browser("PUT", "/data", json=[1]).status_code == 403
    assert browser("POST", "/data", content=b"csrf_token=x").status_code == 403
    assert "token is missing" in browser("POST", "/post", FORM, content=b"name=a").text


def test_a_token_without_its_cookie(browser: Browser) -> None:
    token = browser("GET", "/form").text
    browser.cookies.clear()
    assert browser.post(token) == 403


def test_a_token_of_another_visitor(browser: Browser) -> None:
    theirs = Browser(browser.ask, browser.app)("GET", "/form").text
    mine = browser("GET", "/form").text
    assert (browser.post(theirs), browser.post(mine)) == (403, 200)


@pytest.mark.parametrize("token", ["", "x", "A" * 86, "ü" * 86, "A" * 88, "A" * 87, "-" * 10000, "%00"])
def test_malformed_tokens(browser: Browser, token: str) -> None:
    browser("GET", "/form")
    assert browser.post(token) == 403


@given(st.text())
def test_arbitrary_text_is_no_token(text: str) -> None:
    assert not CSRFToken(lambda: b"s" * 32, lambda: b"").matches(text)


@given(st.binary(min_size=32, max_size=32))
def test_the_token_of_any_secret_matches(secret: bytes) -> None:
    token = CSRFToken(lambda: secret, lambda: b"")
    assert token.matches(str(token))


def test_each_page_has_another_masked_token(browser: Browser) -> None:
    tokens = {browser("GET", "/form").text for _ in range(3)}
    assert len(tokens) == 3
    assert [browser.post(token) for token in tokens] == [200, 200, 200]


def test_a_page_without_a_form_sets_no_cookie(browser: Browser) -> None:
    headers = browser("GET", "/plain").headers
    assert set(headers) == {"content-type", "content-length"}


def test_a_page_with_a_form_is_private(browser: Browser) -> None:
    first, second = browser("GET", "/form").headers, browser("GET", "/form").headers
    assert (first["vary"], first["cache-control"], len(first.get_list("set-cookie"))) == ("cookie", "no-store", 1)
    assert (second["vary"], second["cache-control"], "set-cookie" in second) == ("cookie", "private", False)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": SITE}, 200),
        ({"origin": "http://site.test:80"}, 403),  # browsers leave the default port out
        ({"origin": "https://site.test"}, 200),  # a proxy may speak TLS with the browser
        ({"origin": "http://evil.test"}, 403),
        ({"origin": "http://site.test.evil.test"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "https://friend.test"}, 200),
        ({"origin": "https://friend.test", "sec_fetch_site": "cross-site"}, 200),
        ({"referer": f"{SITE}/form?x"}, 200),
        ({"referer": "http://evil.test/site.test"}, 403),
        ({"referer": "https://friend.test/page"}, 200),
        ({"referer": "http://[evil"}, 403),
        ({"referer": ""}, 403),
        ({"sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "x"}, 403),
        # A proxy terminates TLS, and the server does not know: the browser reports the origin.
        ({"sec_fetch_site": "same-origin", "origin": "https://site.test"}, 200),
    ],
)
def test_the_origin_of_a_request(browser: Browser, headers: dict[str, str], status: int) -> None:
    token = browser("GET", "/form").text
    assert browser.post(token, **headers) == status


def test_safe_methods_may_come_from_any_origin(browser: Browser) -> None:
    assert browser("GET", "/plain", {"origin": "http://evil.test", "sec-fetch-site": "cross-site"}).status_code == 200
    assert browser("HEAD", "/plain", {"origin": "http://evil.test"}).status_code == 200
    assert browser("OPTIONS", "/post", {"origin": "http://evil.test"}).status_code != 403


def test_exempt_routes(browser: Browser) -> None:
    assert browser("POST", "/hooks/a").text == "hooked"
    assert browser("POST", "/hook").text == "hooked"
    assert browser("POST", "/post").status_code == 403


def test_exempt_prefixes(ask: Ask) -> None:
    app = Application(ROUTES, middleware=[CSRF(KEY, exempt=["/hook*"])])
    assert [ask(app, "POST", path).status_code for path in ("/hook", "/hooks/a", "/data")] == [200, 200, 403]


def test_an_encoded_slash_is_not_exempt(ask: Ask) -> None:
    app = Application(ROUTES, middleware=[CSRF(KEY, exempt=["/hooks/*"])])
    answers = [ask(app, "POST", path) for path in ("/hooks/a", "/hooks%2Fa", "/hooks%2fa")]
    assert [answer.status_code for answer in answers] == [200, 403, 403]


def test_a_login_invalidates_earlier_tokens(ask: Ask) -> None:
    app = Application(ROUTES, middleware=[Sessions(KEY), CSRF(store="session")])
    browser = Browser(ask, app)
    before = browser("GET", "/form").text
    after = browser("POST", "/login", {"x-csrf-token": before}).text
    assert (browser.post(before), browser.post(after)) == (403, 200)


def test_a_cookie_with_an_invalid_signature_is_ignored(ask: Ask, app: Application) -> None:
    other = Browser(ask, Application(ROUTES, middleware=[CSRF(OTHER)]))
    token = other("GET", "/form").text
    browser = Browser(ask, app)
    browser.cookies = other.cookies
    assert (other.post(token), browser.post(token)) == (200, 403)
    browser.cookies = {"csrf": "x.y.z"}
    assert browser.post(browser("GET", "/form").text) == 200


def test_keys_can_be_changed(ask: Ask, app: Application) -> None:
    old, new = Browser(ask, app), Browser(ask, Application(ROUTES, middleware=[CSRF([OTHER, KEY])]))
    token = old("GET", "/form").text
    new.cookies = old.cookies
    assert new.post(token) == 200


def test_the_attributes_of_the_cookie(ask: Ask, app: Application) -> None:
    field = ask(app, "GET", "https://site.test/form").headers["set-cookie"]
    assert field.startswith("csrf=")
    assert field.endswith("; Path=/; Max-Age=31536000; Secure; HttpOnly; SameSite=Lax")
    app = Application(ROUTES, middleware=[CSRF(KEY, secure=False, cookie="c")])
    assert "Secure" not in ask(app, "GET", "https://site.test/form").headers["set-cookie"]


def test_another_field_and_header(ask: Ask) -> None:
    browser = Browser(ask, Application(ROUTES, middleware=[CSRF(KEY, field="t", header="X-T")]))
    token = browser("GET", "/form").text
    assert browser("POST", "/post", data={"t": token, "name": "a"}).text == "posted a"
    assert browser("POST", "/data", {"x-t": token}).status_code == 200


def test_the_body_is_still_there_for_the_controller(browser: Browser) -> None:
    token = browser("GET", "/form").text
    response = browser("POST", "/data", data={"csrf_token": token})
    assert response.text == f"{len('csrf_token=') + len(token)} bytes"


def test_a_malformed_form_is_a_client_error(browser: Browser) -> None:
    browser("GET", "/form")
    broken = {"content-type": "multipart/form-data; boundary=x"}
    assert browser("POST", "/post", broken, content=b"nonsense").status_code in (400, 403)


def test_a_streamed_page_may_write_the_token(browser: Browser) -> None:
    assert browser.post(browser("GET", "/late?kind=text/html").text) == 200


@pytest.mark.parametrize("begun", [False, True])
def test_a_token_after_the_response_has_begun(ask: Ask, app: Application, begun: bool) -> None:
    browser = Browser(ask, app)
    if begun:
        token = browser("GET", "/form").text
        assert len(browser("GET", "/late?kind=text/plain").text) == len(token)
    else:
        with pytest.raises(RuntimeError, match="after the response had begun"):
            browser("GET", "/late?kind=text/plain")


def test_a_template_may_write_it_either_way(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "form.html").write_text("{{ csrf_token }} {{ csrf_token() }} {{ request.state.csrf_token }}")
    middleware = [SecurityHeaders(), CSRF(KEY)]

    def page(request: Request) -> Response:
        return render(request, "form.html")

    routes = [*ROUTES, Route("/page", page)]
    browser.app = Application(routes, middleware=middleware, config={"template_dirs": [str(tmp_path)]})
    tokens = browser("GET", "/page").text.split()
    assert len(tokens) == 3
    assert [browser.post(token) for token in tokens] == [200, 200, 200]


def test_the_key_of_the_configuration() -> None:
    middleware = CSRF()
    middleware.bind(Application(config={"secret_key": KEY}))
    assert middleware._signer.read(middleware._signer.sign(b"a"), 60) is not None
    with pytest.raises(StartupError, match="CSRF: no secret key"):
        CSRF().bind(Application())
    CSRF(store="session").bind(Application())
    with pytest.raises(RuntimeError, match="no secret key"):
        _ = CSRF()._signer


@pytest.mark.parametrize(
    "options",
    [
        {"store": "memory"},
        {"secret_key": "short"},
        {"header": "x y"},
        {"cookie": "x y"},
        {"trusted_origins": ["friend.test"]},
    ],
)
def test_invalid_options(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"CSRF|header|cookie"):
        CSRF(**options)


@pytest.mark.parametrize(
    "options", [{"exempt": "/hook"}, {"trusted_origins": "https://friend.test"}, {"secret_key": 1}]
)
def test_options_of_the_wrong_type(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        CSRF(**options)


def test_exempt_paths_are_those_of_the_application(drive: Any) -> None:
    app = Application(
        [Route("/hooks/pay", lambda request: "paid", ["POST"])], middleware=[CSRF(KEY, exempt=["/hooks/*"])]
    )
    assert drive(app, method="POST", path="/shop/hooks/pay", root_path="/shop")[0]["status"] == 200


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("site.test", "https://site.test", 200),
        ("site.test:443", "https://site.test", 200),
        ("site.test:8443", "https://site.test:8443", 200),
        ("site.test:8000", "https://site.test", 403),
        ("site.test", "https://evil.test", 403),
        ("site.test", "null", 403),
        ("127.0.0.1:8000", "https://site.test", 403),
    ],
)
def test_a_proxy_that_speaks_tls(ask: Any, host: str, origin: str, status: int) -> None:
    def form(request: Request) -> str:
        return str(request.state.csrf_token)

    app = Application([Route("/", form), Route("/", lambda request: "saved", ["POST"])], middleware=[CSRF(KEY)])
    page = ask(app, "GET", "/", headers={"host": host})
    cookie = page.headers["set-cookie"].partition(";")[0]
    fields = {"host": host, "origin": origin, "cookie": cookie, "x-csrf-token": page.text}
    assert ask(app, "POST", "/", headers=fields).status_code == status
    assert ask(app, "POST", "/", headers={**fields, "x-csrf-token": "x"}).status_code == 403


def test_a_page_over_http_is_not_one_of_the_site_over_tls(drive: Any) -> None:
    app = Application([Route("/", lambda request: "saved", ["POST"])], middleware=[CSRF(KEY)])
    scope = {
        "method": "POST",
        "scheme": "https",
        "headers": [(b"host", b"site.test"), (b"origin", b"http://site.test")],
    }
    request = Request(app, {"type": "http", "path": "/", **scope}, None)  # type: ignore[arg-type]
    with pytest.raises(Forbidden, match="another site"):
        CSRF(KEY).before(request)


def test_query_is_a_safe_method(drive: Any) -> None:
    scope = {"type": "http", "method": "QUERY", "path": "/", "headers": []}
    assert CSRF(KEY).before(Request(Application(), scope, None)) is None  # type: ignore[arg-type]


def test_the_session_has_to_be_outside() -> None:
    csrf = CSRF(store="session")
    routes = [Route("/", lambda request: "page", middleware=[Sessions(KEY)])]
    for app in (Application(middleware=[csrf, Sessions(KEY)]), Application(routes, middleware=[csrf])):
        with pytest.raises(StartupError, match=r"test_csrf.py:\d+: CSRF.*list Sessions before it"):
            app.prepare()
    Application(middleware=[Sessions(KEY), csrf]).prepare()
