import pytest

import atlas


@pytest.mark.parametrize("name", atlas.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(atlas, name) is not None
    assert name in dir(atlas)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'atlas' has no attribute 'Aplication'"):
        _ = atlas.Aplication  # type: ignore[attr-defined]
