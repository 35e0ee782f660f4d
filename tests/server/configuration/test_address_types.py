"""Settings that say where a server listens."""

from typing import Any

import pytest

from atlas.server.configuration.address_types import BindAddresses, FileMode
from atlas.server.configuration.settings import Settings


@pytest.mark.parametrize(
    ("value", "held"),
    [
        ("127.0.0.1:80", ("127.0.0.1:80",)),
        ("127.0.0.1:80, unix:a  fd://3", ("127.0.0.1:80", "unix:a", "fd://3")),
        ([" unix:a b", "unix:a b"], ("unix:a b",)),
        ((), ()),
        ("", ()),
    ],
)
def test_addresses(value: Any, held: tuple[str, ...]) -> None:
    assert BindAddresses().check(value) == held


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("localhost", ValueError, r"expected HOST:PORT, .*, got 'localhost': a port is missing"),
        ([3], TypeError, "got 3"),
        (3, TypeError, "got 3"),
    ],
)
def test_what_is_no_address(value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        BindAddresses().check(value)


@pytest.mark.parametrize("value", ["660", "0660", "0o660", 0o660])
def test_permissions(value: Any) -> None:
    assert FileMode().check(value) == "660"
    assert Settings(uds_mode=value).uds_mode == "660"


def test_permissions_of_few_digits() -> None:
    assert FileMode().check(0o6) == "006"


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("668", ValueError),
        ("66", ValueError),
        (0o7777, ValueError),
        (-1, ValueError),
        (True, TypeError),
        (6.6, TypeError),
    ],
)
def test_what_are_no_permissions(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="expected permissions as three octal digits, such as 660, got"):
        FileMode().check(value)


def test_permissions_that_are_no_octal_number() -> None:
    with pytest.raises(ValueError, match="such as 660, got 660, which is 0o1224$"):
        FileMode().check(660)


@pytest.mark.parametrize("one", [{"uds": "a"}, {"fd": 3}])
def test_addresses_exclude_the_other_settings(one: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="and bind: expected one of them, got both"):
        Settings(bind=(":80",), **one)
