"""Dependencies: functions whose results controllers take, ``session: Annotated[Session, Provide(open_session)]``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, NamedTuple

from atlas.gateway.greenlets import await_
from atlas.web.adapters import InGreenlet
from atlas.web.controllers import controller_name, is_async
from atlas.web.inputs.markers import Provide
from atlas.web.inputs.parameters import Inputs, read_inputs

__all__ = ["Provider", "find_providers"]


class Provider(NamedTuple):
    """A function that provides a value.

    :ivar key: the function that the signature names; ``inputs.controller`` is another one if it is overridden.
    :ivar inputs: its parameters.
    :ivar is_async: whether it is awaited.
    :ivar cleans_up: whether it is a generator, which is continued after the controller.
    """

    key: Callable[..., Any]
    inputs: Inputs
    is_async: bool
    cleans_up: bool

    def enter_sync(self) -> Callable[..., AbstractContextManager[Any]]:
        """Return a function that takes the parameters of a generator and returns a context manager for sync code."""
        function = self.inputs.controller
        if not self.is_async:
            return contextmanager(function)
        make = asynccontextmanager(function)
        return lambda *args, **kwargs: _Waiting(make(*args, **kwargs))

    def enter_async(self) -> Callable[..., AbstractAsyncContextManager[Any]]:
        """Return a function that takes the parameters of a generator and returns an async context manager."""
        function = self.inputs.controller
        if self.is_async:
            return asynccontextmanager(function)
        make = contextmanager(function)
        return lambda *args, **kwargs: InGreenlet(make(*args, **kwargs))


def find_providers(
    controller: Inputs, path: Mapping[str, Any], overrides: Mapping[Any, Callable[..., Any]]
) -> list[Provider]:
    """Return the dependencies of a controller, each before those that need it.

    :param controller: the parameters of the controller.
    :param path: the parameters of the path, with their converters, in their order.
    :param overrides: functions that stand for others, in a test.
    :raises ValueError: for a dependency that needs itself, or whose parameters cannot be read from a request.
    """
    found: dict[Any, Provider] = {}
    _resolve(controller, path, overrides, found, [])
    return list(found.values())


def _resolve(
    inputs: Inputs,
    path: Mapping[str, Any],
    overrides: Mapping[Any, Callable[..., Any]],
    found: dict[Any, Provider],
    inside: list[Callable[..., Any]],
) -> None:
    """Add the dependencies of a function to ``found``; ``inside`` are the functions that are being resolved."""
    for each in inputs.all:
        marker = each.marker
        if not isinstance(marker, Provide) or marker.function in found:
            continue
        function = marker.function
        assert function is not None
        if function in inside:
            circle = " needs ".join(controller_name(one) for one in [*inside[inside.index(function) :], function])
            raise ValueError(f"a dependency needs itself: {circle}")
        actual = overrides.get(function, function)
        own = read_inputs(actual, path, is_async=_is_awaited(actual), partial=True)
        _resolve(own, path, overrides, found, [*inside, function])
        found[function] = Provider(function, own, _is_awaited(actual), _is_generator(actual))


def _is_awaited(function: Callable[..., Any]) -> bool:
    return is_async(function) or any(map(inspect.isasyncgenfunction, _forms(function)))


def _is_generator(function: Callable[..., Any]) -> bool:
    forms = _forms(function)
    return any(map(inspect.isasyncgenfunction, forms)) or any(map(inspect.isgeneratorfunction, forms))


def _forms(function: Callable[..., Any]) -> list[Any]:
    """Return what may be the generator function: the function, or the ``__call__`` of an object."""
    if inspect.isclass(function):
        return []
    return [function, getattr(function, "func", None), vars(type(function)).get("__call__")]


class _Waiting:
    """A context manager for sync code that waits for an async one."""

    def __init__(self, manager: AbstractAsyncContextManager[Any]) -> None:
        self._manager = manager

    def __enter__(self) -> Any:
        return await_(self._manager.__aenter__())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await_(self._manager.__aexit__(kind, error, trace))
