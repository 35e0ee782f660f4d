from typing import Any

import pytest

from atlas import Mount, Route, StartupError
from atlas.web.routing.router import Router


def one(request: Any) -> None: ...


def two(request: Any, first: Any) -> None: ...


def three(request: Any, first: Any, second: Any) -> None: ...


async def application(scope: Any, receive: Any, send: Any) -> None: ...


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("users", "starts with '/'"),
        ("/a?b", "no '[?]'"),
        ("/{a:nit}", "no converter 'nit'; did you mean 'int'"),
        ("/{a:zzz}", "known are date, float, int"),
        ("/{a:}", "no converter ''"),
        ("/{1a}", "'1a' is no name"),
        ("/{}", "'' is no name"),
        ("/{a", "a brace without its other one"),
        ("/{a}/{a}", "two parameters have the same name"),
        ("/{a:path}/{b:path}", "only one parameter takes several segments"),
    ],
)
def test_invalid_patterns(path: str, message: str) -> None:
    with pytest.raises(StartupError, match=message) as caught:
        Route(path, lambda *everything: None)
    assert str(caught.value).startswith(f"{__file__}:")
    assert "\n" not in str(caught.value)


def test_parameters_that_no_prefix_adds_stop_the_start() -> None:
    route = Route("/{a}", three)
    with pytest.raises(
        StartupError, match=r"test_route.py:\d+: route '/\{a\}': the controller three.*1 path parameter"
    ):
        Router([route])
    with pytest.raises(StartupError, match=r"route '': a path starts with '/'"):
        Router([Route("", one)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"run": "fast"}, "run: expected one of auto, inline, greenlet, thread, got 'fast'"),
        ({"timeout": 0}, "timeout: expected a number of seconds above zero"),
        ({"timeout": 1, "run": "inline"}, "timeout: a controller that runs inline cannot be interrupted"),
    ],
)
def test_invalid_options(options: Any, message: str) -> None:
    with pytest.raises(StartupError, match=rf"test_route.py:\d+: route '/': {message}"):
        Route("/", one, **options)


def test_run_is_for_def_controllers() -> None:
    async def later(request: Any) -> None: ...

    with pytest.raises(StartupError, match="run='thread' is for def controllers, and this one is async def"):
        Route("/", later, run="thread")
    assert [Route("/", one, run=run).run for run in ("auto", "inline", "greenlet", "thread")] == [
        "greenlet",
        "inline",
        "greenlet",
        "thread",
    ]
    assert Route("/", one, timeout=1).run == "greenlet"
    assert Route("/", one).run_by("thread") == "thread"
    assert Route("/", one, run="inline").run_by("thread") == "inline"
    assert Route("/", later).run_by("thread") == "await"


def test_a_controller_that_cannot_be_called_stops_the_start_in_the_line_of_its_route() -> None:
    with pytest.raises(
        StartupError, match=r"test_route.py:\d+: route '/\{a\}': the controller one\(.*1 path parameter"
    ):
        Route("/{a}", one)


@pytest.mark.parametrize(("methods", "message"), [([], "no method"), (["G T"], "'G T' is no method"), ("GET", "a str")])
def test_invalid_methods(methods: Any, message: str) -> None:
    with pytest.raises(StartupError, match=message):
        Route("/", one, methods)


def test_methods_are_upper_case_and_unique() -> None:
    assert Route("/", one, ["get", "GET", "post"]).methods == ("GET", "POST")


def test_what_a_request_needs_of_its_route() -> None:
    route = Route("/{name}/{year:int}", three)
    assert (route.parameter_names, route.is_mount) == (("name", "year"), False)
    assert Mount("/{name}", application).is_mount
    assert Mount("/{name}", application).parameter_names == ("name",)
