from __future__ import annotations

import sys
from typing import Any

import pytest

from atlas._speedups.templates.expressions import Attribute, Call, Constant, Local
from atlas._speedups.templates.statements import (
    LINES,
    MAX_VARIABLES,
    Condition,
    Loop,
    Plan,
    Print,
    Target,
    Text,
    frame_of,
)
from atlas.templates import Environment
from atlas.templates.runtime import LoopContext, unpacker

ENVIRONMENT = Environment(autoescape=True)
MODULE: dict[str, Any] = {"__file__": "page.html"}


def printed(plan: Plan, *parameters: Any, **variables: Any) -> str:
    out: list[str] = []
    plan(ENVIRONMENT.from_string("").new_context(variables), out, *parameters)
    return "".join(out)


def plan(names: tuple[str, ...], *body: Any, parameters: tuple[int, ...] | None = None, resolved: Any = ()) -> Plan:
    slots = tuple(range(len(names))) if parameters is None else parameters
    return Plan(ENVIRONMENT, MODULE, "root", names, slots, resolved, *body)


def test_text_values_and_decisions() -> None:
    other = Condition((2,), (Local(0, "a"),), ((Text("yes"),),), (Text("no"),))
    made = plan(("a",), Text("<p>"), Print(1, Local(0, "a"), True), other)
    assert printed(made, "<a>") == "<p>&lt;a&gt;yes"
    assert printed(made, "") == "<p>no"


def test_a_variable_that_is_looked_up() -> None:
    made = plan(("a", "b"), Print(1, Local(1, "b"), False), parameters=(0,), resolved=((1, "b"),))
    assert printed(made, 1, b="<b>") == "<b>"


@pytest.mark.parametrize("items", [[1, 2], (1, 2), {1: 0, 2: 0}, range(1, 3)])
def test_a_loop(items: Any) -> None:
    body = (Print(1, Local(1, "x"), True), Text(";"))
    made = plan(
        ("xs", "x"), Loop(1, Target(1), Local(0, "xs"), body, (Text("none"),), -1, LoopContext), parameters=(0,)
    )
    assert printed(made, items) == "1;2;"
    assert printed(made, []) == "none"


def test_a_loop_with_a_test_unpacked_items_and_its_position() -> None:
    target = Target(-1, (Target(1), Target(2)), unpacker(2))
    tested = Loop(1, target, Local(0, "xs"), (Print(1, Local(1, "k"), True),), (), -1, LoopContext, Local(2, "v"), 1)
    assert printed(plan(("xs", "k", "v"), tested, parameters=(0,)), [("a", 1), ("b", 0), ["c", 1]]) == "ac"
    body = (Print(1, Attribute(Local(3, "loop"), "index"), True),)
    made = plan(("xs", "k", "v", "loop"), Loop(1, target, Local(0, "xs"), body, None, 3, LoopContext), parameters=(0,))
    assert printed(made, ["ab", "cd"]) == "12"
    with pytest.raises(ValueError, match=r"not enough values to unpack \(expected 2, got 1\)"):
        printed(made, ["a"])


def test_the_line_of_an_error_is_in_the_traceback() -> None:
    def fail() -> None:
        raise LookupError("failed")

    made = plan(("f",), Text("a"), Print(7, Call(Local(0, "f")), True))
    with pytest.raises(LookupError, match="failed") as raised:
        printed(made, fail)
    entries = [each for each in raised.traceback if each._rawentry.tb_lineno > LINES]
    (entry,) = [each._rawentry for each in entries]
    assert entry.tb_lineno == LINES + 7
    assert entry.tb_frame.f_globals is MODULE
    assert entry.tb_frame.f_code.co_name == "root"
    assert entry.tb_frame.f_locals["f"] is fail


def test_finalize_is_left_out_for_plain_values() -> None:
    environment = Environment(finalize=lambda value: f"final {value}")
    for keeps_plain, expected in ((False, "final text;final []"), (True, "text;final []")):
        parts = (
            Print(1, Constant("text"), True, True, keeps_plain),
            Text(";"),
            Print(1, Local(0, "x"), True, True, True),
        )
        out: list[str] = []
        Plan(environment, MODULE, "root", ("x",), (0,), (), *parts)(
            environment.from_string("").new_context({}), out, []
        )
        assert "".join(out) == expected


def test_values_are_released() -> None:
    value = object()
    made = plan(("xs", "x"), Loop(1, Target(1), Local(0, "xs"), (), None, -1, LoopContext), parameters=(0,))
    before = sys.getrefcount(value)
    printed(made, [value, value])
    assert sys.getrefcount(value) == before


def test_wrong_calls_are_refused() -> None:
    with pytest.raises(TypeError, match="expected 1 parameters, got 0"):
        printed(plan(("a",), Text("x")))
    with pytest.raises(ValueError, match="expected at most 32 variables, got 33"):
        plan(tuple(map(str, range(MAX_VARIABLES + 1))), parameters=())


def test_a_frame_has_the_names_of_the_template() -> None:
    frame = frame_of(MODULE, "block_title", {"l_0_a": 1})
    assert (frame.f_code.co_filename, frame.f_code.co_name) == ("page.html", "block_title")
    assert frame.f_locals == {"l_0_a": 1}
