import pytest

from atlas.web.state import State


def test_values_by_attribute_and_by_key() -> None:
    state = State()
    state.pool = 1
    assert state["pool"] == 1
    state["name"] = "x"
    assert state.name == "x"
    assert dict(state) == {"pool": 1, "name": "x"}
    del state.pool
    del state["name"]
    assert len(state) == 0


def test_a_missing_value_is_named() -> None:
    with pytest.raises(AttributeError, match="'pool'"):
        _ = State().pool
    with pytest.raises(AttributeError, match="'pool'"):
        del State().pool
    with pytest.raises(KeyError):
        State()["pool"]


def test_the_dict_is_shared() -> None:
    values = {"a": 1}
    State(values).b = 2
    assert values == {"a": 1, "b": 2}
