from collections.abc import Callable
from types import FrameType
from typing import Any

from atlas._speedups.templates.expressions import Expression

LINES: int
MAX_VARIABLES: int

class Statement: ...

class Text(Statement):
    def __init__(self, text: str) -> None: ...

class Print(Statement):
    def __init__(
        self, line: int, value: Expression, escapes: bool, finalizes: bool = False, keeps_plain: bool = False
    ) -> None: ...

class Condition(Statement):
    def __init__(
        self,
        lines: tuple[int, ...],
        tests: tuple[Expression, ...],
        bodies: tuple[tuple[Statement, ...], ...],
        other: tuple[Statement, ...] | None,
    ) -> None: ...

class Target:
    def __init__(
        self, slot: int, parts: tuple[Target, ...] | None = None, unpack: Callable[[Any], Any] | None = None
    ) -> None: ...

class Loop(Statement):
    def __init__(
        self,
        line: int,
        target: Target,
        iterable: Expression,
        body: tuple[Statement, ...],
        other: tuple[Statement, ...] | None,
        loop_slot: int,
        loop_kind: Any,
        test: Expression | None = None,
        test_line: int = 0,
    ) -> None: ...

class Plan:
    def __init__(
        self,
        environment: Any,
        module: dict[str, Any],
        function: str,
        slot_names: tuple[str, ...],
        parameters: tuple[int, ...],
        resolved: tuple[tuple[int, str], ...],
        *body: Statement,
    ) -> None: ...
    def __call__(self, context: Any, out: list[str], *parameters: Any) -> None: ...

def frame_of(module: dict[str, Any], function: str, variables: dict[str, Any]) -> FrameType:
    """Return a frame of a function of a compiled template."""
