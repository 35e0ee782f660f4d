import jinja2
import pytest

from atlas.web.templates.undefined import Missing


def test_a_missing_value_is_false_and_raises_when_it_is_used() -> None:
    missing = Missing(name="x")
    assert not missing
    for use in (str, len, iter, lambda value: value.attribute, lambda value: value()):
        with pytest.raises(jinja2.UndefinedError, match="'x' is undefined"):
            use(missing)
