"""Which function is named, out of stacks of every make."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import atlas
from atlas.server.culprits import Culprit, chain, find

ATLAS = Path(atlas.__file__).parent
LIBRARY = Path(sys.modules["asyncio"].__file__ or "").parent
INSTALLED = LIBRARY.parent / "site-packages"


def code(path: str | Path, text: str, module: str = "shop.views") -> Callable[..., Any]:
    """The function ``f`` of a file that isn't there."""
    space: dict[str, Any] = {"__name__": module}
    exec(compile(text, str(path), "exec"), space)
    function: Callable[..., Any] = space["f"]
    return function


CALLS = "\ndef f(inner, *rest):\n    return inner(*rest)\n"

own = code("/srv/shop/views.py", CALLS)
helper = code("/srv/shop/totals.py", CALLS, "shop.totals")
installed = code(INSTALLED / "other" / "framework.py", CALLS, "other.framework")
library = code(LIBRARY / "no_such_file.py", CALLS, "asyncio.events")
ours = code(ATLAS / "web" / "endpoint.py", CALLS, "atlas.web.endpoint")
template = code("/srv/shop/templates/home.html", CALLS, "jinja")
frozen = code("<frozen importlib._bootstrap>", CALLS, "importlib._bootstrap")
debugger = code(LIBRARY.parent / "pdb.py", CALLS, "pdb")

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
    """The frame that called: where the test's last function stands."""
    return sys._getframe(1)


def stack(*functions: Callable[..., Any], below: Any = None) -> Culprit | None:
    """Who is found when each of these calls the next one."""
    first, *rest = functions
    base = frozenset(chain(sys._getframe()))
    frame = first(*rest, here)
    return find(frame, base if below is None else below)


def name_and_place(culprit: Culprit | None) -> tuple[str, str] | None:
    return None if culprit is None else (culprit.name, "{}:{}".format(*culprit.place))


VIEW = ("shop.views.f", "/srv/shop/views.py:3")


@pytest.mark.parametrize(
    "functions",
    [
        (own,),
        (library, own),
        (ours, own),
        (library, ours, own, library),
        (own, installed, library),
        (own, ours, frozen),
        (ours, own, ours, template, installed),
        (installed, own),
        (helper, ours, own),
    ],
)
def test_the_applications_own_function_is_named(functions: tuple[Callable[..., Any], ...]) -> None:
    assert name_and_place(stack(*functions)) == VIEW


def test_the_function_that_atlas_called_is_named_and_the_place_where_it_has_come_to() -> None:
    assert name_and_place(stack(ours, own, installed, helper, library)) == ("shop.views.f", "/srv/shop/totals.py:3")


def test_of_a_middleware_and_its_controller_it_is_the_controller() -> None:
    assert name_and_place(stack(ours, helper, ours, own)) == VIEW


def test_what_is_installed_is_named_where_there_is_nothing_else() -> None:
    path = INSTALLED / "other" / "framework.py"
    assert name_and_place(stack(library, ours, installed, library)) == ("other.framework.f", f"{path}:3")


@pytest.mark.parametrize("functions", [(library,), (ours, library), (ours, template), (own, debugger, library)])
def test_sometimes_there_is_nobody(functions: tuple[Callable[..., Any], ...]) -> None:
    assert stack(*functions) is None


def test_no_frame_is_nobody() -> None:
    assert find(None) is None


def test_what_runs_the_loop_is_not_at_work() -> None:
    """A program of the application's own that starts the server stands below everything."""
    frames: list[FrameType | None] = []

    def loop() -> None:
        below = frozenset(chain(sys._getframe()))
        frames.append(own(here))
        assert name_and_place(find(library(here), below)) is None
        assert name_and_place(find(frames[0], below)) == VIEW

    helper(loop)


def test_async_functions_are_told_apart() -> None:
    view = code("/srv/shop/views.py", "\nasync def f(inner, *rest):\n    return inner(*rest)\n")
    pages = code("/srv/shop/views.py", "\nasync def f(inner, *rest):\n    yield inner(*rest)\n")

    below = frozenset(chain(sys._getframe()))
    frames = [own(here), step(view(here)), step(pages(here).asend(None))]
    found = [find(frame, below) for frame in frames]
    assert [culprit.is_async for culprit in found if culprit] == [False, True, True]


def test_its_stack_begins_with_it_and_its_home_is_where_it_is_written() -> None:
    culprit = stack(ours, own, helper)
    assert culprit is not None
    assert culprit.home == "/srv/shop/views.py:2"
    assert [line.split(",")[0] for line in culprit.stack.splitlines()] == [
        '  File "/srv/shop/views.py"',
        '  File "/srv/shop/totals.py"',
    ]


def test_a_long_stack_is_cut_in_the_middle() -> None:
    culprit = stack(own, *[library, installed] * 20)
    assert culprit is not None
    lines = culprit.stack.splitlines()
    assert (len(lines), lines[8]) == (17, "  ... 25 calls more ...")
    assert "/srv/shop/views.py" in lines[0]


def test_a_file_below_the_current_folder_is_named_from_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    culprit = stack(code(tmp_path / "shop" / "views.py", CALLS))
    assert culprit is not None
    assert (culprit.home, culprit.place) == ("shop/views.py:2", ("shop/views.py", 3))
