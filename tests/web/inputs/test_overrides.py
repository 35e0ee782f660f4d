import pytest

from atlas.web.inputs.overrides import Overrides


def test_what_was_before_comes_back() -> None:
    changes: list[int] = []
    overrides = Overrides(lambda: changes.append(len(overrides)))
    with pytest.raises(KeyError), overrides.replaced(len, max):
        with overrides.replaced(len, min):
            assert overrides == {len: min}
        assert overrides == {len: max}
        raise KeyError
    assert overrides == {}
    assert changes == [1, 1, 1, 0]
