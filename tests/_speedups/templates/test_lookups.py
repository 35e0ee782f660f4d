from __future__ import annotations

from typing import Any

import jinja2
import pytest
from markupsafe import Markup

from atlas._speedups.templates.lookups import attribute, item

ENVIRONMENT = jinja2.Environment()


class Thing:
    name = "attribute"

    def __getitem__(self, key: object) -> object:
        return {"name": "item", "only": "item"}[key]  # type: ignore[index]

    @property
    def absent(self) -> object:
        raise AttributeError("absent")

    @property
    def broken(self) -> object:
        raise ValueError("broken")


class Slots:
    __slots__ = ("name",)

    def __init__(self) -> None:
        self.name = "slot"


class Dict(dict[Any, Any]):
    name = "attribute"


OWNERS = [{"name": 1, "items": 2, None: 3}, Dict(name=2), Thing(), Slots(), [5, 6], ("x",), "text", None, 7, Thing]
NAMES = ["name", "items", "only", "absent", "upper", "missing", "__class__"]


def outcome(find: Any, *arguments: object) -> object:
    """What a look-up returns; of an undefined value its message."""
    found = find(*arguments)
    if isinstance(found, jinja2.Undefined):
        return found._undefined_message
    return repr(found).partition(" at 0x")[0]


@pytest.mark.parametrize("owner", OWNERS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("name", NAMES)
def test_an_attribute_is_found_as_in_jinja2(owner: object, name: str) -> None:
    assert outcome(attribute, ENVIRONMENT, owner, name) == outcome(ENVIRONMENT.getattr, owner, name)


@pytest.mark.parametrize("owner", OWNERS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("key", [*NAMES, 0, -1, 99, None, 1.5, [], Markup("name")], ids=repr)
def test_an_item_is_found_as_in_jinja2(owner: object, key: object) -> None:
    assert outcome(item, ENVIRONMENT, owner, key) == outcome(ENVIRONMENT.getitem, owner, key)


def test_an_item_is_preferred_or_an_attribute() -> None:
    assert attribute(ENVIRONMENT, Thing(), "name") == "attribute"
    assert item(ENVIRONMENT, Thing(), "name") == "item"
    assert attribute(ENVIRONMENT, {"keys": 1}, "keys") != 1
    assert item(ENVIRONMENT, {"keys": 1}, "keys") == 1


@pytest.mark.parametrize("find", [attribute, item])
def test_other_exceptions_are_raised(find: Any) -> None:
    class Broken:
        def __getattr__(self, name: str) -> object:
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        find(ENVIRONMENT, Broken(), "name")
