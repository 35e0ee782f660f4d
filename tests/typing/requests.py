"""Requests as a type checker sees them. Never run: only checked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, assert_type

from atlas import (
    Application,
    AsyncRequest,
    AsyncUpload,
    ClientCertificate,
    Config,
    Headers,
    Mount,
    MultiDict,
    Request,
    Route,
    RouteInfo,
    Session,
    Upload,
)
from atlas.web.interfaces import ApplicationInterface, RouteDescription, RouteInterface
from atlas.web.state import State


@dataclass
class Lake:
    name: str
    depth: int


def head(request: Request) -> None:
    assert_type(request.method, str)
    assert_type(request.path, str)
    assert_type(request.raw_path, bytes)
    assert_type(request.url, str)
    assert_type(request.scheme, str)
    assert_type(request.host, str)
    assert_type(request.http_version, str)
    assert_type(request.client, tuple[str, int] | None)
    assert_type(request.ip, str | None)
    headers: Headers = request.headers
    assert_type(headers.get("accept"), str | None)
    assert_type(request.client_certificate, ClientCertificate | None)
    assert_type(request.headers["accept"], str)
    assert_type(request.headers.get("accept"), str | None)
    assert_type(request.headers.get_all("accept"), list[str])
    assert_type(request.query, MultiDict)
    assert_type(request.query_params, MultiDict)
    assert_type(request.query["a"], str)
    assert_type(request.query.get_all("a"), list[str])
    assert_type(request.query.pairs(), list[tuple[str, str]])
    assert_type(request.cookies, Mapping[str, str])
    assert_type(request.path_params, dict[str, Any])
    assert_type(request.content_type, str)
    assert_type(request.content_length, int | None)
    assert_type(request.accepts("text/html", "application/json"), str | None)
    assert_type(request.is_secure, bool)
    assert_type(request.id, str | None)
    assert_type(request.url_for("lake", absolute=True, slug="ness"), str)
    request.state.user = "ada"


def session(request: Request) -> None:
    kept: Session = request.session
    kept["user"] = 1
    kept.flash("saved", "good")
    assert_type(kept.flashes()[0].message, str)
    kept.rotate()
    kept.clear()


def body(request: Request) -> None:
    assert_type(request.body(), bytes)
    assert_type(request.text(), str)
    assert_type(request.json(), Any)
    assert_type(request.json(Lake), Lake)
    assert_type(request.json(list[Lake]), list[Lake])
    assert_type(request.form(), MultiDict)
    assert_type(request.form()["name"], str)
    assert_type(request.files()["picture"], Upload)
    assert_type(request.files()["picture"].read(), bytes)
    assert_type(request.stream(), Iterator[bytes])
    assert_type(request.disconnected(), bool)


async def async_body(request: AsyncRequest) -> None:
    assert_type(await request.body(), bytes)
    assert_type(await request.text(), str)
    assert_type(await request.json(), Any)
    assert_type(await request.json(Lake), Lake)
    assert_type(await request.form(), MultiDict)
    upload = (await request.files())["picture"]
    assert_type(upload, AsyncUpload)
    assert_type(await upload.read(10), bytes)
    await upload.save("picture.png")
    assert_type(request.stream(), AsyncIterator[bytes])
    assert_type(await request.disconnected(), bool)
    assert_type(request.method, str)


def interfaces(app: Application, route: Route, mount: Mount, info: RouteInfo) -> None:
    application: ApplicationInterface = app
    routes: list[RouteInterface] = [route, mount]
    described: list[RouteDescription] = [route, info]
    assert application
    assert routes
    assert described


def application(request: Request) -> None:
    assert_type(request.app.config, Config)
    assert_type(request.app.state, State)
    assert_type(request.app.url_for("lake", slug="ness"), str)
    assert_type(request.app.templates.render(request, "lake.html", {"name": "Ness"}, block="name"), str)
    request.app.background(print, "later")
    if request.route is not None:
        assert_type(request.route.name, str)
        assert_type(request.route.limit_body, int | None)
