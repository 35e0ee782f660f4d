"""Which interface an application has, and the error for one that has none."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import pytest

from atlas import Application
from atlas.errors import StartupError
from atlas.gateway.asgi import ASGIGateway
from atlas.gateway.interface_detection import detect_interface
from atlas.gateway.lasgi import SyncToASGI
from atlas.gateway.page_refresh import PageRefresh
from atlas.gateway.refreshing_application import RefreshingApplication


async def coroutine_function(scope: Any, receive: Any, send: Any) -> None: ...


def sync_function(scope: Any, receive: Any, send: Any) -> None: ...


def sync_function_with_an_option(
    scope: Any, receive: Any, send: Any, depth: int = 0, *, deep: bool = False
) -> None: ...


@functools.wraps(coroutine_function)
def wrapped_coroutine_function(*args: Any) -> Any:
    return coroutine_function(*args)


@functools.wraps(sync_function)
def wrapped_sync_function(*args: Any) -> Any:
    return sync_function(*args)


class Object:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    def sync_method(self, scope: Any, receive: Any, send: Any) -> None: ...

    async def method(self, scope: Any, receive: Any, send: Any) -> None: ...


class SyncObject:
    def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class OwnCall:
    """Each instance has a ``__call__`` of its own, as a middleware for several versions of ASGI may have."""

    __slots__ = ("__call__",)

    def __init__(self, call: Any) -> None:
        self.__call__ = call


class PerRequest:
    """ASGI 3 as a class: an object for each request, which is awaited."""

    def __init__(self, scope: Any, receive: Any, send: Any) -> None: ...

    def __await__(self) -> Any:
        yield from ()


class TwoCalls:
    """ASGI 2."""

    def __init__(self, scope: Any) -> None: ...

    async def __call__(self, receive: Any, send: Any) -> None: ...


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    return []


def asgi_2(scope: Any) -> Any: ...


def no_arguments() -> None: ...


def with_four(scope: Any, receive: Any, send: Any, more: Any) -> None: ...


@pytest.mark.parametrize(
    "app",
    [
        coroutine_function,
        Object(),
        Object().method,
        functools.partial(coroutine_function, {}),
        wrapped_coroutine_function,
        OwnCall(coroutine_function),
        OwnCall(Object().method),
        PerRequest,
        lambda *_: None,
    ],
)
def test_asgi(app: Any) -> None:
    detected = detect_interface(app)
    assert detected.interface == "asgi"
    assert detected.asgi_app is app
    assert detect_interface(app, "asgi") == detected


@pytest.mark.parametrize(
    "app",
    [
        sync_function,
        sync_function_with_an_option,
        wrapped_sync_function,
        Object().sync_method,
        SyncObject(),
        functools.partial(with_four, {}),
    ],
)
def test_lasgi(app: Any) -> None:
    for interface in ("auto", "lasgi"):
        detected = detect_interface(app, interface)  # type: ignore[arg-type]
        assert detected.interface == "lasgi"
        assert isinstance(detected.asgi_app, SyncToASGI)


@pytest.mark.parametrize(
    ("app", "words"),
    [
        (wsgi, r"wsgi: expected 3 parameters \(scope, receive, send\), got 2: is it WSGI\? a2wsgi.WSGIMiddleware\(\)"),
        (asgi_2, r"asgi_2: expected 3 parameters .*, got 1: is it ASGI 2\? asgiref.*guarantee_single_callable\(\)"),
        (no_arguments, r"no_arguments: expected 3 parameters .*, got 0$"),
        (with_four, r"with_four: expected 3 parameters .*, got 4$"),
        (TwoCalls, r"TwoCalls is a class \(an ASGI 2 application\?\): serve an instance of it"),
        (Object, r"Object is a class: serve an instance of it"),
    ],
)
@pytest.mark.parametrize("interface", ["auto", "asgi", "lasgi"])
def test_the_error_for_an_unknown_interface_is_one_line(app: Callable[..., Any], words: str, interface: Any) -> None:
    with pytest.raises(StartupError, match=words) as caught:
        detect_interface(app, interface)
    assert "\n" not in str(caught.value)


def test_an_object_is_named_by_its_class() -> None:
    class Odd:
        def __call__(self) -> None: ...

    with pytest.raises(StartupError, match=r"the .*Odd object: expected 3 parameters"):
        detect_interface(Odd())


def test_an_async_function_is_not_lasgi() -> None:
    with pytest.raises(StartupError, match=r"--interface lasgi: .*coroutine_function is 'async def', so it is ASGI"):
        detect_interface(coroutine_function, "lasgi")


def test_a_sync_function_with_interface_asgi_has_to_return_an_awaitable() -> None:
    def returns(scope: Any, receive: Any, send: Any) -> Any:
        return coroutine_function(scope, receive, send)

    detected = detect_interface(returns, "asgi")
    assert detected.interface == "asgi"
    asyncio.run(detected.asgi_app({}, None, None))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"expected .*sync_function to return an awaitable, got None; without the flag"):
        asyncio.run(detect_interface(sync_function, "asgi").asgi_app({}, None, None))  # type: ignore[arg-type]


@pytest.mark.parametrize("app", [coroutine_function, sync_function])
def test_it_makes_the_gateway(app: Any) -> None:
    loop = asyncio.new_event_loop()
    try:
        assert isinstance(detect_interface(app).new_gateway(loop), ASGIGateway)
    finally:
        loop.close()


def test_pages_that_refresh() -> None:
    pages = PageRefresh()
    detected = detect_interface(sync_function).with_page_refresh(pages)
    assert (detected.interface, type(detected.asgi_app)) == ("asgi", RefreshingApplication)
    native = detect_interface(Application())
    assert native.with_page_refresh(pages) is native
