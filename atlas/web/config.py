"""The application's configuration: lower-case values, each with a default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from types import ModuleType
from typing import Any

from atlas.errors import StartupError

__all__ = ["Config"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What an application can be told.

    :param debug: show tracebacks on error pages, look for changed templates.
    :param template_dirs: folders of templates, relative to the file that made the application. None means its
        ``templates`` folder, if there is one.
    :param limit_body: bytes that a request body may have before it is answered with 413.
    """

    debug: bool = False
    template_dirs: tuple[str, ...] | None = None
    limit_body: int = 10 * 1024 * 1024

    @classmethod
    def read(cls, source: Mapping[str, Any] | ModuleType | None, **overrides: Any) -> Config:
        """A configuration from a mapping or from the lower-case names of a module.

        :param overrides: values that win, where they are not None.
        :raises StartupError: for an unknown name or a value of the wrong type.
        """
        if isinstance(source, ModuleType):
            source = {name: value for name, value in vars(source).items() if _is_value(name, value)}
        values = {**(source or {}), **{name: value for name, value in overrides.items() if value is not None}}
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                close = get_close_matches(name, known, 1)
                raise StartupError(f"config: no setting {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
        return cls(**values)

    def __post_init__(self) -> None:
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        if type(values["debug"]) is not bool:
            raise StartupError(f"config: debug: expected True or False, got {self.debug!r}")
        if type(values["limit_body"]) is not int or self.limit_body < 0:
            raise StartupError(f"config: limit_body: expected a number of bytes, got {self.limit_body!r}")
        if isinstance(values["template_dirs"], str):
            raise StartupError(f"config: template_dirs: expected a sequence, such as [{self.template_dirs!r}]")


def _is_value(name: str, value: object) -> bool:
    """Whether a name of a module is a setting, and not something that it imported or defined for itself."""
    return name.islower() and not name.startswith("_") and not isinstance(value, ModuleType) and not callable(value)
