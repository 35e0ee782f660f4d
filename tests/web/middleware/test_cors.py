from collections.abc import Callable
from typing import Any

import httpx
import pytest

from atlas import Application, Request, Route
from atlas.web.middleware.cors import CORS, check_origin

Ask = Callable[..., httpx.Response]
SITE = "https://app.example.com"


def site(**options: Any) -> Application:
    def page(request: Request) -> Any:
        return "page", 200, {"vary": "accept"}

    return Application([Route("/", page)], middleware=[CORS(**options)])


def preflight(ask: Ask, app: Application, origin: str = SITE, **headers: str) -> httpx.Response:
    fields = {"origin": origin, "access-control-request-method": "PUT", **headers}
    return ask(app, "OPTIONS", "/", headers=fields)


def test_an_allowed_origin_may_read(ask: Ask) -> None:
    response = ask(site(allow_origins=[SITE]), "GET", "/", headers={"origin": SITE})
    assert response.headers["access-control-allow-origin"] == SITE
    assert response.headers["vary"] == "accept, origin"
    assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize("origin", ["https://evil.test", "null", "https://app.example.com.evil.test", SITE.upper()])
def test_another_origin_may_not(ask: Ask, origin: str) -> None:
    response = ask(site(allow_origins=[SITE]), "GET", "/", headers={"origin": origin})
    assert response.text == "page"
    assert "access-control-allow-origin" not in response.headers
    assert "origin" in response.headers["vary"]


def test_a_response_without_an_origin_varies_too(ask: Ask) -> None:
    response = ask(site(allow_origins=[SITE]), "GET", "/")
    assert response.headers["vary"] == "accept, origin"
    assert "access-control-allow-origin" not in response.headers


def test_every_origin_may_read(ask: Ask) -> None:
    response = ask(site(allow_origins=["*"]), "GET", "/", headers={"origin": SITE})
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["vary"] == "accept"


def test_a_pattern_fits_the_whole_origin(ask: Ask) -> None:
    app = site(allow_origin_regex=r"https://[a-z]+\.example\.com")
    answers = [ask(app, "GET", "/", headers={"origin": origin}) for origin in (SITE, SITE + ".evil.test")]
    assert ["access-control-allow-origin" in answer.headers for answer in answers] == [True, False]


def test_credentials_and_exposed_fields(ask: Ask) -> None:
    app = site(allow_origins=[SITE], allow_credentials=True, expose_headers=["x-b", "x-a"])
    headers = ask(app, "GET", "/", headers={"origin": SITE}).headers
    assert headers["access-control-allow-credentials"] == "true"
    assert headers["access-control-expose-headers"] == "x-a, x-b"
    assert headers["access-control-allow-origin"] == SITE


def test_an_error_may_be_read_too(ask: Ask) -> None:
    response = ask(site(allow_origins=[SITE]), "GET", "/missing", headers={"origin": SITE})
    assert response.status_code == 404
    assert response.headers["access-control-allow-origin"] == SITE


def test_a_preflight(ask: Ask) -> None:
    app = site(allow_origins=[SITE], allow_methods=["put", "GET"], allow_headers=["x-token"], max_age=60)
    response = preflight(ask, app)
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == SITE
    assert response.headers["access-control-allow-methods"] == "GET, PUT"
    assert response.headers["access-control-allow-headers"] == "x-token"
    assert response.headers["access-control-max-age"] == "60"
    assert response.headers["vary"] == "origin, access-control-request-method, access-control-request-headers"
    assert response.content == b""


def test_a_preflight_from_elsewhere_is_refused(ask: Ask) -> None:
    response = preflight(ask, site(allow_origins=[SITE]), "https://evil.test")
    assert response.status_code == 403
    assert not any(name.startswith("access-control-allow") for name in response.headers)


def test_any_header_means_those_that_are_asked_for(ask: Ask) -> None:
    app = site(allow_origins=[SITE], allow_headers=["*"], allow_credentials=True)
    response = preflight(ask, app, **{"access-control-request-headers": "x-a, x-b"})
    assert response.headers["access-control-allow-headers"] == "x-a, x-b"


def test_any_method_means_the_common_ones(ask: Ask) -> None:
    response = preflight(ask, site(allow_origins=["*"], allow_methods=["*"]))
    assert "DELETE" in response.headers["access-control-allow-methods"]
    assert "*" not in response.headers["access-control-allow-methods"]


@pytest.mark.parametrize("allowed", [True, False])
def test_private_networks(ask: Ask, allowed: bool) -> None:
    app = site(allow_origins=[SITE], allow_private_network=allowed)
    response = preflight(ask, app, **{"access-control-request-private-network": "true"})
    assert (response.headers.get("access-control-allow-private-network") == "true") is allowed


def test_options_without_preflight_fields_reaches_the_controller(ask: Ask) -> None:
    response = ask(site(allow_origins=[SITE]), "OPTIONS", "/", headers={"origin": SITE})
    assert response.headers["allow"]


@pytest.mark.parametrize(
    "options",
    [
        {"allow_origins": ["*"], "allow_credentials": True},
        {"allow_origins": [SITE], "expose_headers": ["*"], "allow_credentials": True},
        {"allow_origins": ["example.com"]},
        {"allow_origins": [SITE + "/"]},
        {"allow_origins": ["https://Example.com"]},
        {"allow_origins": ["null"]},
        {"allow_methods": ["GE T"]},
        {"allow_headers": ["x:y"]},
        {"max_age": -1},
        {"allow_origin_regex": "("},
    ],
)
def test_invalid_options(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="CORS"):
        CORS(**options)


@pytest.mark.parametrize("options", [{"allow_origins": SITE}, {"allow_headers": "x-a"}, {"max_age": "1"}])
def test_options_of_the_wrong_type(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="CORS"):
        CORS(**options)


def test_the_default_port_is_refused() -> None:
    assert check_origin("X", "http://[::1]:8000") == "http://[::1]:8000"
    with pytest.raises(ValueError, match="write 'https://example.com'"):
        check_origin("X", "https://example.com:443")
