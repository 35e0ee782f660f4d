import msgspec
import pytest

from atlas import Body, Cookie, Form, Header, Path, Query


@pytest.mark.parametrize("marker", [Path, Query, Header, Cookie, Form, Body])
def test_each_marker_names_its_source(marker: type[Query]) -> None:
    assert marker.source == marker.__name__.lower()
    assert (marker().alias, marker().meta, marker().deprecated) == (None, None, False)


def test_constraints_are_those_of_msgspec() -> None:
    assert Query(ge=1, lt=5, description="a number").meta == msgspec.Meta(ge=1, lt=5, description="a number")
    assert repr(Query("q", max_length=3)) == "Query('q', msgspec.Meta(max_length=3))"


@pytest.mark.parametrize("alias", ["", 5, b"a"])
def test_a_wrong_alias(alias: str) -> None:
    with pytest.raises(TypeError, match="Query: alias: expected a name"):
        Query(alias)


def test_constraints_that_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="gt"):
        Query(gt=1, ge=1)
