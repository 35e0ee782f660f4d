"""What is taken for which interface, and what is said of what is none."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import pytest

from atlas.errors import StartupError
from atlas.gateway.asgi import ASGIGateway
from atlas.gateway.interface_detection import detect_interface
from atlas.gateway.lasgi import SyncToASGI


async def coroutine_function(scope: Any, receive: Any, send: Any) -> None: ...


def plain(scope: Any, receive: Any, send: Any) -> None: ...


def plain_with_an_option(scope: Any, receive: Any, send: Any, depth: int = 0, *, deep: bool = False) -> None: ...


@functools.wraps(coroutine_function)
def around_a_coroutine_function(*args: Any) -> Any:
    return coroutine_function(*args)


@functools.wraps(plain)
def around_a_plain_one(*args: Any) -> Any:
    return plain(*args)


class Object:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    def plain_method(self, scope: Any, receive: Any, send: Any) -> None: ...

    async def method(self, scope: Any, receive: Any, send: Any) -> None: ...


class PlainObject:
    def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class OwnCall:
    """Each object has a call of its own, as a middleware may have that knows several versions of ASGI."""

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
        around_a_coroutine_function,
        OwnCall(coroutine_function),
        OwnCall(Object().method),
        PerRequest,
        lambda *_: None,
    ],
)
def test_asgi(app: Any) -> None:
    choice = detect_interface(app)
    assert choice.interface == "asgi"
    assert choice.asgi is app
    assert detect_interface(app, "asgi") == choice


@pytest.mark.parametrize(
    "app",
    [
        plain,
        plain_with_an_option,
        around_a_plain_one,
        Object().plain_method,
        PlainObject(),
        functools.partial(with_four, {}),
    ],
)
def test_lasgi(app: Any) -> None:
    for interface in ("auto", "lasgi"):
        choice = detect_interface(app, interface)  # type: ignore[arg-type]
        assert choice.interface == "lasgi"
        assert isinstance(choice.asgi, SyncToASGI)


@pytest.mark.parametrize(
    ("app", "words"),
    [
        (wsgi, r"wsgi: expected 3 parameters \(scope, receive, send\), got 2: is it WSGI\? a2wsgi.WSGIMiddleware\(\)"),
        (asgi_2, r"asgi_2: expected 3 parameters .*, got 1: is it ASGI 2\? asgiref.*guarantee_single_callable\(\)"),
        (no_arguments, r"no_arguments: expected 3 parameters .*, got 0$"),
        (with_four, r"with_four: expected 3 parameters .*, got 4$"),
        (TwoCalls, r"TwoCalls is a class \(as ASGI 2 had it\): serve an object of it"),
        (Object, r"Object is a class: serve an object of it"),
    ],
)
@pytest.mark.parametrize("interface", ["auto", "asgi", "lasgi"])
def test_what_is_neither_is_told_in_one_line(app: Callable[..., Any], words: str, interface: Any) -> None:
    with pytest.raises(StartupError, match=words) as caught:
        detect_interface(app, interface)
    assert "\n" not in str(caught.value)


def test_an_object_is_named_by_its_class() -> None:
    class Odd:
        def __call__(self) -> None: ...

    with pytest.raises(StartupError, match=r"the .*Odd object: expected 3 parameters"):
        detect_interface(Odd())


def test_async_is_not_plain_code() -> None:
    with pytest.raises(StartupError, match=r"--interface lasgi: .*coroutine_function is 'async def', so it is ASGI"):
        detect_interface(coroutine_function, "lasgi")


def test_plain_code_that_is_said_to_be_asgi_has_to_return_an_awaitable() -> None:
    def returns(scope: Any, receive: Any, send: Any) -> Any:
        return coroutine_function(scope, receive, send)

    choice = detect_interface(returns, "asgi")
    assert choice.interface == "asgi"
    asyncio.run(choice.asgi({}, None, None))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"expected .*plain to return an awaitable, got None; without the flag"):
        asyncio.run(detect_interface(plain, "asgi").asgi({}, None, None))  # type: ignore[arg-type]


@pytest.mark.parametrize("app", [coroutine_function, plain])
def test_it_makes_the_gateway(app: Any) -> None:
    loop = asyncio.new_event_loop()
    try:
        assert isinstance(detect_interface(app).gateway(loop), ASGIGateway)
    finally:
        loop.close()
