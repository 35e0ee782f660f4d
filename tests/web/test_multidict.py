from atlas.web.multidict import ManyValues, MultiDict

PAIRS = [("a", "1"), ("b", "2"), ("a", "3")]


def test_the_last_value_of_a_name_is_returned() -> None:
    assert MultiDict(PAIRS)["a"] == "3"


def test_every_value_is_there_in_order() -> None:
    values = MultiDict(PAIRS)
    assert values.get_all("a") == ["1", "3"]
    assert values.get_all("c") == []
    assert values.pairs() == PAIRS


def test_as_a_mapping_it_has_each_name_once() -> None:
    assert dict(MultiDict(PAIRS)) == {"a": "3", "b": "2"}
    assert len(MultiDict(PAIRS)) == 2


def test_equality_counts_every_value() -> None:
    assert MultiDict(PAIRS) == MultiDict(PAIRS)
    assert MultiDict(PAIRS) != MultiDict(PAIRS[1:])
    assert MultiDict(PAIRS) == {"a": "3", "b": "2"}


def test_values_may_be_anything() -> None:
    values = ManyValues([("a", 1), ("a", 2)])
    assert (values["a"], values.getlist("a"), repr(values)) == (2, [1, 2], "ManyValues([('a', 1), ('a', 2)])")
