"""Which function of a stack blocks the event loop."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import atlas
from atlas.server.blocking import BlockingFunction, find_blocking_function, walk_stack

ATLAS = Path(atlas.__file__).parent
STDLIB = Path(sys.modules["asyncio"].__file__ or "").parent
INSTALLED = STDLIB.parent / "site-packages"


def code(path: str | Path, text: str, module: str = "shop.views") -> Callable[..., Any]:
    """Compile the function ``f`` of a file that does not exist."""
    space: dict[str, Any] = {"__name__": module}
    exec(compile(text, str(path), "exec"), space)
    function: Callable[..., Any] = space["f"]
    return function


CALLS = "\ndef f(inner, *rest):\n    return inner(*rest)\n"

own = code("/srv/shop/views.py", CALLS)
helper = code("/srv/shop/totals.py", CALLS, "shop.totals")
installed = code(INSTALLED / "other" / "framework.py", CALLS, "other.framework")
stdlib = code(STDLIB / "no_such_file.py", CALLS, "asyncio.events")
atlas_code = code(ATLAS / "web" / "endpoint.py", CALLS, "atlas.web.endpoint")
template = code("/srv/shop/templates/home.html", CALLS, "jinja")
frozen = code("<frozen importlib._bootstrap>", CALLS, "importlib._bootstrap")
debugger = code(STDLIB.parent / "pdb.py", CALLS, "pdb")

step = code(
    ATLAS / "gateway" / "no_such_file.py",
    """
def f(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
""",
    "atlas.gateway.steps",
)


def here() -> FrameType | None:
    """Return the frame of the caller."""
    return sys._getframe(1)


def stack(*functions: Callable[..., Any], below: Any = None) -> BlockingFunction | None:
    """Return what is found when each of the functions calls the next one."""
    first, *rest = functions
    base = frozenset(walk_stack(sys._getframe()))
    frame = first(*rest, here)
    return find_blocking_function(frame, base if below is None else below)


def name_and_position(function: BlockingFunction | None) -> tuple[str, str] | None:
    return None if function is None else (function.name, "{}:{}".format(*function.position))


VIEW = ("shop.views.f", "/srv/shop/views.py:3")


@pytest.mark.parametrize(
    "functions",
    [
        (own,),
        (stdlib, own),
        (atlas_code, own),
        (stdlib, atlas_code, own, stdlib),
        (own, installed, stdlib),
        (own, atlas_code, frozen),
        (atlas_code, own, atlas_code, template, installed),
        (installed, own),
        (helper, atlas_code, own),
    ],
)
def test_the_function_of_the_application_is_found(functions: tuple[Callable[..., Any], ...]) -> None:
    assert name_and_position(stack(*functions)) == VIEW


def test_the_function_that_atlas_called_is_found_with_the_position_of_the_innermost_frame() -> None:
    assert name_and_position(stack(atlas_code, own, installed, helper, stdlib)) == (
        "shop.views.f",
        "/srv/shop/totals.py:3",
    )


def test_of_a_middleware_and_its_controller_the_controller_is_found() -> None:
    assert name_and_position(stack(atlas_code, helper, atlas_code, own)) == VIEW


def test_an_installed_package_is_found_if_there_is_no_other_code() -> None:
    path = INSTALLED / "other" / "framework.py"
    assert name_and_position(stack(stdlib, atlas_code, installed, stdlib)) == ("other.framework.f", f"{path}:3")


@pytest.mark.parametrize(
    "functions", [(stdlib,), (atlas_code, stdlib), (atlas_code, template), (own, debugger, stdlib)]
)
def test_without_code_of_the_application_nothing_is_found(functions: tuple[Callable[..., Any], ...]) -> None:
    assert stack(*functions) is None


def test_without_a_frame_nothing_is_found() -> None:
    assert find_blocking_function(None) is None


def test_frames_that_run_the_loop_are_ignored() -> None:
    """A program of the application that starts the server is below all other frames."""
    frames: list[FrameType | None] = []

    def loop() -> None:
        below = frozenset(walk_stack(sys._getframe()))
        frames.append(own(here))
        assert name_and_position(find_blocking_function(stdlib(here), below)) is None
        assert name_and_position(find_blocking_function(frames[0], below)) == VIEW

    helper(loop)


def test_async_functions_are_recognized() -> None:
    view = code("/srv/shop/views.py", "\nasync def f(inner, *rest):\n    return inner(*rest)\n")
    pages = code("/srv/shop/views.py", "\nasync def f(inner, *rest):\n    yield inner(*rest)\n")

    below = frozenset(walk_stack(sys._getframe()))
    frames = [own(here), step(view(here)), step(pages(here).asend(None))]
    found = [find_blocking_function(frame, below) for frame in frames]
    assert [function.is_async for function in found if function] == [False, True, True]


def test_the_stack_starts_with_the_function_and_the_definition_is_its_first_line() -> None:
    function = stack(atlas_code, own, helper)
    assert function is not None
    assert function.definition == "/srv/shop/views.py:2"
    assert [line.split(",")[0] for line in function.stack.splitlines()] == [
        '  File "/srv/shop/views.py"',
        '  File "/srv/shop/totals.py"',
    ]


def test_a_long_stack_is_cut_in_the_middle() -> None:
    function = stack(own, *[stdlib, installed] * 20)
    assert function is not None
    lines = function.stack.splitlines()
    assert (len(lines), lines[8]) == (17, "  ... 25 more calls ...")
    assert "/srv/shop/views.py" in lines[0]


def test_a_file_below_the_working_directory_has_a_relative_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    function = stack(code(tmp_path / "shop" / "views.py", CALLS))
    assert function is not None
    assert (function.definition, function.position) == ("shop/views.py:2", ("shop/views.py", 3))
