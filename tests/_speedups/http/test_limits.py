import pytest

from atlas._speedups.http.request_head import Limits
from atlas.server.configuration.settings import Settings

DEFAULTS = {"request_line": 8192, "head": 65536, "fields": 128, "field": 16384, "body": 104857600}

FLAGS = {name: f"limit_request_{name.removeprefix('request_')}" for name in DEFAULTS}


def test_the_defaults_are_those_of_the_settings() -> None:
    limits, settings = Limits(), Settings()
    assert {name: getattr(limits, name) for name in DEFAULTS} == DEFAULTS
    assert {name: getattr(settings, FLAGS[name]) for name in DEFAULTS} == DEFAULTS


@pytest.mark.parametrize("name", DEFAULTS)
def test_each_can_be_given_and_none_can_be_changed(name: str) -> None:
    limits = Limits(**{name: 7})
    assert getattr(limits, name) == 7
    assert all(getattr(limits, other) == value for other, value in DEFAULTS.items() if other != name)
    with pytest.raises(AttributeError):
        setattr(limits, name, 8)


def test_a_body_may_be_larger_than_32_bits_say() -> None:
    assert Limits(body=2**40).body == 2**40


@pytest.mark.parametrize("name", DEFAULTS)
@pytest.mark.parametrize("wrong", ["7", None, 2**80])
def test_what_is_no_size_is_refused(name: str, wrong: object) -> None:
    with pytest.raises((TypeError, OverflowError)):
        Limits(**{name: wrong})  # type: ignore[arg-type]


def test_they_are_given_by_name() -> None:
    with pytest.raises(TypeError):
        Limits(1)  # type: ignore[misc]
