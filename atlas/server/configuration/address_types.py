"""The types of the settings that say where a server listens."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from atlas.server.configuration.setting_types import SettingType

__all__ = ["BindAddress", "BindAddresses", "FileMode"]

_OCTAL = re.compile(r"(?:0o?)?([0-7]{3})", re.ASCII)


@dataclass(frozen=True, slots=True)
class BindAddress(SettingType):
    """One address to listen on, held as text."""

    metavar: ClassVar[str] = "ADDRESS"

    @property
    def expected(self) -> str:
        return "HOST:PORT, [IPv6]:PORT, unix:PATH or fd://NUMBER"

    def check(self, value: Any) -> str:
        from atlas.server.sockets.bind_address import parse_bind_address  # imported only where an address is given

        if not isinstance(value, str):
            raise self.wrong_type(value)
        try:
            parse_bind_address(value.strip())
        except ValueError as error:
            raise ValueError(f"{self.wrong_value(value)}: {error}") from None
        return value.strip()


@dataclass(frozen=True, slots=True)
class BindAddresses(SettingType):
    """Addresses to listen on, held as text; an iterable, or text with commas or blanks between them."""

    multiple: ClassVar[bool] = True
    metavar: ClassVar[str] = "ADDRESS"

    @property
    def expected(self) -> str:
        return "HOST:PORT, [IPv6]:PORT, unix:PATH or fd://NUMBER"

    def check(self, value: Any) -> tuple[str, ...]:
        if isinstance(value, str):
            value = value.replace(",", " ").split()
        if not isinstance(value, Iterable):
            raise self.wrong_type(value)
        return tuple(dict.fromkeys(BindAddress().check(item) for item in value))


@dataclass(frozen=True, slots=True)
class FileMode(SettingType):
    """The permissions of a file, held as octal digits as for chmod(1); an integer (``0o660``) is accepted too."""

    metavar: ClassVar[str] = "MODE"

    @property
    def expected(self) -> str:
        return "permissions as three octal digits, such as 660"

    def check(self, value: Any) -> str:
        number = value if isinstance(value, int) and not isinstance(value, bool) else None
        if number is None and not isinstance(value, str):
            raise self.wrong_type(value)
        match = _OCTAL.fullmatch(value.strip() if number is None else f"{number:03o}")
        if match is None:  # 660 of a TOML file is no octal number
            raise ValueError(f"{self.wrong_value(value)}{'' if number is None else f', which is {number:#o}'}")
        return match[1]
