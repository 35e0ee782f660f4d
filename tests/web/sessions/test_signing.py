from typing import Any

import pytest

from atlas import StartupError
from atlas.web.sessions.signing import SignedValues, check_keys, find_keys

OLD, NEW = "an old key, long enough", b"a newer key, long enough"


class Clock:
    now = 2_000_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_signed_values_are_read(clock: Clock) -> None:
    values = SignedValues([NEW], "test", clock=clock)
    signed = values.sign(b"value.with.dots")
    clock.now += 5
    assert values.read(signed, 60) == (b"value.with.dots", 5.0)


def test_values_expire(clock: Clock) -> None:
    values = SignedValues([NEW], "test", clock=clock)
    signed = values.sign(b"value")
    clock.now += 60
    assert values.read(signed, 60) is not None
    clock.now += 1
    assert values.read(signed, 60) is None
    assert values.read(signed, None) == (b"value", 61.0)


def test_values_of_the_future_are_refused(clock: Clock) -> None:
    values = SignedValues([NEW], "test", clock=clock)
    clock.now += 100
    signed = values.sign(b"value")
    clock.now -= 100
    assert values.read(signed, 60) is None


def test_every_changed_character_is_noticed(clock: Clock) -> None:
    values = SignedValues([NEW], "test", clock=clock)
    signed = values.sign(b"value")
    for place in range(len(signed) - 1):  # the last character has bits that base64 does not use
        other = "A" if signed[place] != "A" else "B"
        assert values.read(signed[:place] + other + signed[place + 1 :], 60) is None


@pytest.mark.parametrize("signed", ["", ".", "..", "value", "value.x", "value.x.y", "ü.x.y", "\udc80", "a" * 5000])
def test_malformed_values(signed: str, clock: Clock) -> None:
    assert SignedValues([NEW], "test", clock=clock).read(signed, 60) is None


def test_keys_can_be_changed(clock: Clock) -> None:
    signed = SignedValues([OLD], "test", clock=clock).sign(b"value")
    both = SignedValues([NEW, OLD], "test", clock=clock)
    assert both.read(signed, 60) == (b"value", 0.0)
    again = both.sign(b"value")
    assert SignedValues([NEW], "test", clock=clock).read(again, 60) is not None
    assert SignedValues([OLD], "test", clock=clock).read(again, 60) is None
    assert SignedValues([NEW], "test", clock=clock).read(signed, 60) is None


def test_a_value_for_one_purpose_is_none_for_another(clock: Clock) -> None:
    signed = SignedValues([NEW], "one", clock=clock).sign(b"value")
    assert SignedValues([NEW], "other", clock=clock).read(signed, 60) is None


def test_signed_values_fit_into_a_cookie(clock: Clock) -> None:
    signed = SignedValues([NEW], "test", clock=clock).sign(b"value")
    assert not set(signed) & set(' ",;\\')


def test_keys() -> None:
    assert check_keys("X", OLD) == [OLD]
    assert check_keys("X", (NEW, OLD)) == [NEW, OLD]
    with pytest.raises(ValueError, match="X: secret_key: expected 16 characters or more"):
        check_keys("X", [OLD, "short"])
    with pytest.raises(ValueError, match="at least one key"):
        check_keys("X", [])
    with pytest.raises(TypeError, match="expected str or bytes, got int"):
        check_keys("X", [1])  # type: ignore[list-item]


class _Config:
    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


def test_keys_of_the_configuration() -> None:
    assert find_keys("X", "main.py:1", _Config(secret_key=OLD)) == [OLD]
    for config in (_Config(), _Config(secret_key=None), _Config(secret_key="")):
        with pytest.raises(StartupError, match="main.py:1: X: no secret key"):
            find_keys("X", "main.py:1", config)
    with pytest.raises(StartupError, match="main.py:1: X: secret_key: expected 16 characters"):
        find_keys("X", "main.py:1", _Config(secret_key="short"))


def test_a_machine_whose_clock_is_ahead() -> None:
    now = 2_000_000_000.0
    for ahead, accepted in ((2, True), (60, True), (62, False)):
        signed = SignedValues(["k" * 32], "test", clock=lambda ahead=ahead: now + ahead).sign(b"value")
        found = SignedValues(["k" * 32], "test", clock=lambda: now).read(signed, 100)
        assert (found == (b"value", 0.0)) is accepted
