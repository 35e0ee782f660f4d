"""Settings of uvicorn that Atlas does not have: each is answered, wherever it is written."""

from pathlib import Path

import click
import pytest

from atlas.cli.program import execute
from atlas.server.configuration.load_settings import SettingError, flag_name, load_settings
from atlas.server.configuration.settings import Settings, settings_table
from atlas.server.configuration.uvicorn_settings import uvicorn_advice

OWN = {flag_name(name) for name in settings_table()} | {"--version", "--help"}


def flags_of_uvicorn() -> list[str]:
    from uvicorn.main import main

    options = [each for each in main.params if isinstance(each, click.Option)]
    return [flag for option in options for flag in option.opts if flag.startswith("--")]


@pytest.mark.parametrize("flag", flags_of_uvicorn())
def test_each_flag_is_known_or_answered(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    if flag in OWN:
        assert uvicorn_advice(flag) is None
        return
    assert execute(["serve", "main:app", flag]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"Error: {flag} ")
    assert "did you mean" not in error


def test_wherever_it_is_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"^the setting 'http2' is not in this version of Atlas"):
        Settings(http2=True)  # type: ignore[call-arg]
    with pytest.raises(SettingError, match=r"^ATLAS_SERVE_HTTP has no meaning for Atlas"):
        load_settings(None, {}, {"ATLAS_SERVE_HTTP": "x"}, tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.atlas]\nh11-max-incomplete-event-size = 1\n")
    with pytest.raises(SettingError, match=r"h11-max-incomplete-event-size is --limit-request-head in Atlas$"):
        load_settings(None, {}, {}, tmp_path)


def test_any_other_name_is_not() -> None:
    assert uvicorn_advice("--prot") is None
    assert uvicorn_advice("--no-http2") is not None
