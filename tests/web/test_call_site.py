from functools import partial, wraps
from typing import Any

import pytest

from atlas import Route
from atlas.web import call_site
from atlas.web.call_site import caller_place, definition_of, is_atlas_file


def test_the_place_is_outside_of_the_package() -> None:
    place = caller_place()
    assert place == f"{__file__}:12"
    assert Route("/", lambda request: None).place == f"{__file__}:14"


def decorated(function: Any) -> Any:
    @wraps(function)
    def call(*arguments: Any) -> Any:
        return function(*arguments)

    return call


def plain(request: Any) -> None: ...


async def coroutine(request: Any) -> None: ...


@decorated
@pytest.mark.parametrize(
    "many",
    ["lines"],
)
async def with_decorators(request: Any) -> None: ...


class Kind:
    def method(self, request: Any) -> None: ...

    def __call__(self, request: Any) -> None: ...


def a_lambda() -> Any:
    return lambda request: None


@pytest.mark.parametrize(
    ("function", "line"),
    [
        (plain, "def plain("),
        (coroutine, "async def coroutine("),
        (with_decorators, "async def with_decorators("),
        (partial(plain, 1), "def plain("),
        (Kind().method, "    def method("),
        (Kind(), "    def __call__("),
        (a_lambda(), "    return lambda"),
    ],
)
def test_the_definition_of_a_function(function: Any, line: str) -> None:
    place = definition_of(function)
    assert place is not None
    with open(__file__) as file:
        assert file.read().splitlines()[place[1] - 1].startswith(line)
    assert place[0] == __file__


def test_what_is_not_written_in_python_has_no_definition() -> None:
    assert definition_of(len) is None
    assert definition_of(print) is None


def test_a_definition_without_source_has_the_line_of_its_code() -> None:
    names: dict[str, Any] = {}
    exec(compile("\n\ndef f(): pass", "gone.py", "exec"), names)
    assert definition_of(names["f"]) == ("gone.py", 3)


def test_files_of_atlas() -> None:
    assert is_atlas_file(call_site.__file__)
    assert is_atlas_file("atlas/_speedups/calls/handlers.pyx")
    assert not is_atlas_file(__file__)
