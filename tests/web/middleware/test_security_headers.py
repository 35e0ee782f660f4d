import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from atlas import Application, Request, Response, Route
from atlas.web.middleware.security_headers import SecurityHeaders

Ask = Callable[..., httpx.Response]


def site(**options: Any) -> Application:
    def page(request: Request) -> str:
        return str(request.state.get("csp_nonce"))

    def own(request: Request) -> Any:
        return "own", 200, {"x-frame-options": "SAMEORIGIN", "content-security-policy": "default-src *"}

    def kept(request: Request) -> Response:
        return Response(b"", 304, content_type="")

    routes = [Route("/", page), Route("/own", own), Route("/kept", kept)]
    return Application(routes, middleware=[SecurityHeaders(**options)])


def test_the_default_fields(ask: Ask) -> None:
    headers = ask(site(), "GET", "/").headers
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["content-security-policy"].startswith("default-src 'self'; script-src 'self' 'nonce-")


def test_each_request_has_a_nonce_of_its_own(ask: Ask) -> None:
    app = site()
    answers = [ask(app, "GET", "/") for _ in range(2)]
    for answer in answers:
        nonces = re.findall(r"'nonce-([^']+)'", answer.headers["content-security-policy"])
        assert nonces == [answer.text, answer.text]
        assert len(answer.text) == 22
    assert answers[0].text != answers[1].text


def test_a_policy_without_a_nonce(ask: Ask) -> None:
    response = ask(
        site(csp={"default-src": "'self' https://cdn.example.com", "upgrade-insecure-requests": ()}), "GET", "/"
    )
    policy = "default-src 'self' https://cdn.example.com; upgrade-insecure-requests"
    assert (response.headers["content-security-policy"], response.text) == (policy, "None")


def test_a_policy_that_only_reports(ask: Ask) -> None:
    for csp in ({"default-src": ["'self'"]}, {"script-src": ["{nonce}"]}):
        headers = ask(site(csp=csp, csp_report_only=True), "GET", "/").headers
        assert "content-security-policy-report-only" in headers
        assert "content-security-policy" not in headers


def test_a_304_has_no_policy_with_a_nonce(ask: Ask) -> None:
    assert "content-security-policy" not in ask(site(), "GET", "/kept").headers
    headers = ask(site(csp={"default-src": ["'self'"]}), "GET", "/kept").headers
    assert headers["content-security-policy"] == "default-src 'self'"


def test_fields_of_the_controller_stay(ask: Ask) -> None:
    response = ask(site(), "GET", "/own")
    assert response.headers.get_list("x-frame-options") == ["SAMEORIGIN"]
    assert response.headers.get_list("content-security-policy") == ["default-src *"]


def test_strict_transport_is_sent_over_tls_only(ask: Ask) -> None:
    app = site(hsts=60)
    assert "strict-transport-security" not in ask(app, "GET", "/").headers
    headers = ask(app, "GET", "https://site.test/").headers
    assert headers["strict-transport-security"] == "max-age=60; includeSubDomains"


def test_preload(ask: Ask) -> None:
    headers = ask(site(hsts_preload=True), "GET", "https://site.test/").headers
    assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains; preload"


def test_permissions(ask: Ask) -> None:
    policy = {"camera": (), "fullscreen": ["self", "https://a.example.com"], "autoplay": ["*"]}
    headers = ask(site(permissions_policy=policy), "GET", "/").headers
    assert headers["permissions-policy"] == 'camera=(), fullscreen=(self "https://a.example.com"), autoplay=*'


def test_everything_can_be_left_out(ask: Ask) -> None:
    nothing = {"csp": None, "hsts": None, "frame_options": None, "referrer_policy": None, "opener_policy": None}
    headers = ask(site(**nothing, nosniff=False), "GET", "https://site.test/").headers
    assert set(headers) == {"content-type", "content-length"}


def test_an_error_page_has_them_too(ask: Ask) -> None:
    response = ask(site(), "GET", "/missing")
    assert (response.status_code, response.headers["x-content-type-options"]) == (404, "nosniff")
    assert "nonce" in response.headers["content-security-policy"]


@pytest.mark.parametrize(
    "options",
    [
        {"frame_options": "ALLOW"},
        {"referrer_policy": "none"},
        {"opener_policy": "x"},
        {"hsts": -1},
        {"hsts_preload": True, "hsts": 60},
        {"hsts_preload": True, "hsts_subdomains": False},
        {"csp": {"default src": "'self'"}},
        {"csp": {"default-src": ["'self'; script-src *"]}},
        {"csp": {"default-src": ["a\nb"]}},
        {"permissions_policy": {"camera": ['a"b']}},
        {"permissions_policy": {"ca mera": []}},
    ],
)
def test_invalid_options(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="SecurityHeaders"):
        SecurityHeaders(**options)


@pytest.mark.parametrize(
    "options", [{"csp": "default-src *"}, {"hsts": "1"}, {"permissions_policy": {"camera": "self"}}]
)
def test_options_of_the_wrong_type(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="SecurityHeaders"):
        SecurityHeaders(**options)
