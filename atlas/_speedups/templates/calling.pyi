from collections.abc import Callable
from typing import Any, NoReturn

from atlas._speedups.templates.context import ContextState

class MacroFunction:
    name: str | None
    arguments: tuple[str, ...]
    catch_kwargs: bool
    catch_varargs: bool
    caller: bool
    explicit_caller: bool
    def __init__(
        self,
        environment: Any,
        func: Callable[..., object],
        name: str | None,
        arguments: tuple[str, ...],
        catch_kwargs: bool,
        catch_varargs: bool,
        caller: bool,
        default_autoescape: bool | None = None,
    ) -> None: ...
    def __call__(self, *args: Any, **kwargs: Any) -> str: ...
    def refuse(self, kwargs: dict[str, Any]) -> NoReturn:
        """Raise TypeError for arguments that the macro does not take."""

def call(context: ContextState, function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Call a function as a template does, and return its result."""

def print_call(out: list[str], context: ContextState, function: Any, /, *args: Any, **kwargs: Any) -> None:
    """Append the result of a call, which is text."""
