"""The application and the routes have what a request needs of them; type checkers see it in tests/typing."""

import inspect
from typing import Any

import pytest

from atlas import Application, Mount, Route, RouteInfo, Static, WebSocketRoute
from atlas.web import interfaces
from atlas.web.templates.templates import Templates


def members(protocol: type) -> set[str]:
    kinds = [kind for kind in protocol.__mro__ if kind.__module__ == interfaces.__name__]
    return {name for kind in kinds for name in vars(kind) if not name.startswith("_")}


@pytest.mark.parametrize(
    ("protocol", "kinds"),
    [
        (interfaces.RouteInterface, [Route, Mount, Static, WebSocketRoute]),
        (interfaces.RouteDescription, [RouteInfo]),
        (interfaces.TemplatesInterface, [Templates]),
    ],
)
def test_a_class_has_what_its_protocol_names(protocol: type, kinds: list[type]) -> None:
    for kind in kinds:
        assert members(protocol) - set(dir(kind)) == set()


def test_an_application_has_what_its_protocol_names() -> None:
    assert members(interfaces.ApplicationInterface) - set(dir(Application())) == set()


@pytest.mark.parametrize("name", ["render", "chunks"])
def test_templates_take_the_same_arguments(name: str) -> None:
    def parameters(kind: Any) -> list[str]:
        return list(inspect.signature(getattr(kind, name)).parameters)

    assert parameters(Templates) == parameters(interfaces.TemplatesInterface)
