from typing import Any

import pytest

from atlas.web.cache.keys import call_key, check_key


def price(item: str, *more: Any, currency: str = "EUR", **options: Any) -> float:
    return 1.0


def key(*args: Any, **kwargs: Any) -> str:
    return call_key(price, None)(args, kwargs)


def test_calls_that_mean_the_same_have_one_key() -> None:
    assert key("tea") == key(item="tea") == key("tea", currency="EUR")
    assert key("tea", a=1, b=2) == key("tea", b=2, a=1)
    assert key("tea").startswith("tests.web.cache.test_keys.price(item='tea'")


def test_calls_that_differ_have_two_keys() -> None:
    calls = [key("1"), key("1", 1), key("1", True), key("1", 1.0), key("1", "1"), key("1", b"1"), key("1", None)]
    calls += [key("1", (1,)), key("1", ((1,),)), key("1", a=1), key("1", b=1), key("1', more='", 1)]
    assert len(set(calls)) == len(calls)


def test_long_arguments_become_a_digest() -> None:
    assert len(key("x" * 10_000)) < 150
    assert key("x" * 10_000) != key("x" * 10_001)


@pytest.mark.parametrize("value", [[1], {1}, object(), type("Text", (str,), {})()])
def test_other_arguments_need_a_function(value: Any) -> None:
    with pytest.raises(TypeError, match=r"price: item: expected a number.*pass key="):
        key(value)


def test_a_chosen_key() -> None:
    assert call_key(price, "all")(("tea",), {}) == "all"
    assert call_key(price, lambda item: f"price of {item}")(("tea",), {}) == "price of tea"


@pytest.mark.parametrize(("wrong", "error"), [("", ValueError), (1, TypeError), (None, TypeError), (b"a", TypeError)])
def test_wrong_keys(wrong: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="Cache: key: expected"):
        check_key(wrong)
