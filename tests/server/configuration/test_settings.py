"""The dataclass of settings: its defaults are a contract, and a mistake is named."""

import dataclasses
from typing import Any

import pytest

from atlas.server.configuration.settings import Settings, close_match, settings_table


def test_the_defaults_are_those_that_are_documented() -> None:
    settings = Settings()
    assert (settings.host, settings.port, settings.backlog) == ("127.0.0.1", 8000, 2048)
    assert (settings.limit_request_line, settings.limit_request_head) == (8192, 65536)
    assert (settings.limit_request_fields, settings.limit_request_field) == (128, 16384)
    assert settings.limit_request_body == 100 * 1024 * 1024
    assert settings.limit_concurrency is settings.limit_connections is settings.limit_max_requests is None
    assert (settings.timeout_request_head, settings.timeout_request_body, settings.timeout_write) == (30, 60, 60)
    assert (settings.timeout_keep_alive, settings.timeout_graceful_shutdown) == (75, 30)


def test_every_field_is_described() -> None:
    assert list(settings_table()) == [field.name for field in dataclasses.fields(Settings)]
    for name, about in settings_table().items():
        assert about.help.endswith("."), name
        assert about.group, name


def test_every_default_is_what_its_own_check_makes_of_it() -> None:
    settings = Settings()
    for name, about in settings_table().items():
        assert about.check(getattr(settings, name)) == getattr(settings, name)


def test_it_is_frozen_and_can_be_changed_by_replace() -> None:
    settings = Settings(port=0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.port = 1  # type: ignore[misc]
    assert dataclasses.replace(settings, host="::1") == Settings(port=0, host="::1")


def test_values_are_held_in_one_shape() -> None:
    settings = Settings(headers=["X-A: 1"], timeout_write=5, loop="UVLOOP")  # type: ignore[arg-type]
    assert settings.headers == (("X-A", "1"),)
    assert isinstance(settings.timeout_write, float)
    assert settings.loop == "uvloop"


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"prot": 1}, TypeError, r"unknown setting 'prot': did you mean 'port'\?"),
        ({"qqq": 1}, TypeError, r"unknown setting 'qqq'$"),
        ({"port": "8000"}, TypeError, r"port: expected an integer from 0 to 65535, got '8000'"),
        ({"port": None}, TypeError, r"port: expected an integer"),
        ({"port": 65536}, ValueError, r"port: expected an integer from 0 to 65535, got 65536"),
        ({"root_path": "api"}, ValueError, r"root_path: expected text that starts with '/'"),
        ({"uds": "/a", "fd": 3}, ValueError, r"uds and fd: expected one of them, got both"),
    ],
)
def test_a_mistake_names_the_setting(values: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Settings(**values)


def test_a_close_match_is_only_offered_when_there_is_one() -> None:
    assert close_match("hots", ["host", "port"]) == ": did you mean 'host'?"
    assert close_match("zzz", ["host", "port"]) == ""


def test_a_restart_is_quick_with_reload_unless_the_timeout_is_given() -> None:
    assert (Settings(reload=True).timeout_graceful_shutdown, Settings(reload=True).timeout_drain) == (2, 0)
    assert Settings(dev=True).timeout_graceful_shutdown == 2
    assert Settings(dev=True, reload=False).timeout_graceful_shutdown == 30
    assert Settings(reload=True, timeout_graceful_shutdown=7, timeout_drain=1).timeout_graceful_shutdown == 7
