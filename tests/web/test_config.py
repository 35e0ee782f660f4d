import types
from typing import Any

import pytest

from atlas import StartupError
from atlas.web.config import Config


def test_the_defaults() -> None:
    assert Config.read(None) == Config()


def test_from_a_mapping_with_overrides() -> None:
    config = Config.read({"debug": False, "limit_body": 5}, debug=True)
    assert (config.debug, config.limit_body) == (True, 5)
    assert Config.read({"debug": True}, debug=None).debug


def test_from_a_module_only_its_lower_case_values_count() -> None:
    module = types.ModuleType("settings")
    vars(module).update(debug=True, OTHER=1, _hidden=2, os=types, function=print)
    assert Config.read(module).debug


def test_an_unknown_name_suggests_the_close_one() -> None:
    with pytest.raises(StartupError, match="no setting 'debgu'; did you mean 'debug'"):
        Config.read({"debgu": True})
    with pytest.raises(StartupError, match="no setting 'xyz'$"):
        Config.read({"xyz": True})


@pytest.mark.parametrize(
    "values",
    [{"debug": 1}, {"limit_body": -1}, {"limit_body": True}, {"limit_body": "1"}, {"template_dirs": "templates"}],
)
def test_values_of_the_wrong_kind(values: dict[str, Any]) -> None:
    with pytest.raises(StartupError, match=f"config: {next(iter(values))}: expected"):
        Config.read(values)
