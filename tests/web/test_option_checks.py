from typing import Any

import pytest

from atlas.errors import StartupError
from atlas.web.option_checks import check_decorator, check_number, check_seconds, check_strings


def test_a_list_of_strings() -> None:
    assert check_strings("X: names", ["a", "b"], "a") == ("a", "b")
    assert check_strings("X: names", (name for name in "ab"), "a") == ("a", "b")


@pytest.mark.parametrize("values", ["a", b"a", None, 3, ["a", 3], [b"a"]])
def test_values_that_are_not_lists_of_strings(values: Any) -> None:
    with pytest.raises(TypeError, match="X: names: expected"):
        check_strings("X: names", values, "a")


def test_a_number_in_its_bounds() -> None:
    assert [check_number("X: n", value, 0, 3) for value in (0, 3)] == [0, 3]
    assert check_number("X: n", 10**9, 1) == 10**9


@pytest.mark.parametrize(("value", "most"), [(-1, None), (4, 3)])
def test_a_number_out_of_bounds(value: int, most: int | None) -> None:
    with pytest.raises(ValueError, match="X: n: expected 0"):
        check_number("X: n", value, 0, most)


@pytest.mark.parametrize("value", [1.5, "1", None, True])
def test_values_that_are_not_whole_numbers(value: Any) -> None:
    with pytest.raises(TypeError, match="X: n: expected a whole number"):
        check_number("X: n", value, 0)


def test_a_decorator_without_brackets() -> None:
    with pytest.raises(StartupError, match=r"@app\.get needs a path, as in @app\.get\('/'\), got 5$"):
        check_decorator(5, "get")


@pytest.mark.parametrize("value", ["5", None, True])
def test_seconds_of_another_type(value: Any) -> None:
    with pytest.raises(TypeError, match=f"Cache: seconds: expected a number of seconds, got {value!r}"):
        check_seconds("Cache: seconds", value)


@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_seconds_that_are_not_above_zero(value: float) -> None:
    with pytest.raises(ValueError, match=f"Cache: seconds: expected a time above 0, got {value!r}"):
        check_seconds("Cache: seconds", value)
    assert check_seconds("Cache: seconds", 0.5) == 0.5
