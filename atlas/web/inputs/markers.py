"""Where a parameter of a controller comes from, for ``Annotated``: ``page: Annotated[int, Query(ge=1)] = 1``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Meta

__all__ = ["Body", "Cookie", "Form", "Header", "Marker", "Path", "Provide", "Query"]


class Marker:
    """Where a parameter comes from, and what its value has to be.

    :param alias: the name that the client uses; None, the default, for the name of the parameter (of a header field,
        with ``-`` for ``_``).
    :param ge: smallest number.
    :param gt: number that the value is above.
    :param le: greatest number.
    :param lt: number that the value is below.
    :param multiple_of: number of which the value is a multiple.
    :param min_length: smallest number of characters, or of items of a list.
    :param max_length: greatest number of characters, or of items of a list.
    :param pattern: a regular expression that is found in the text.
    :param title: a title, for the documentation.
    :param description: a description, for the documentation.
    :param examples: examples, for the documentation.
    :param deprecated: whether clients should no longer send it; False by default.
    :raises TypeError: for a constraint of the wrong type.
    :raises ValueError: for constraints that contradict each other.

    :ivar alias: the name that the client uses, or None.
    :ivar meta: the constraints, as msgspec has them; None for none.
    :ivar deprecated: whether it is deprecated.
    """

    __slots__ = ("alias", "deprecated", "meta")

    source = ""

    def __init__(
        self,
        alias: str | None = None,
        *,
        ge: float | None = None,
        gt: float | None = None,
        le: float | None = None,
        lt: float | None = None,
        multiple_of: float | None = None,
        min_length: int | None = None,
        max_length: int | None = None,
        pattern: str | None = None,
        title: str | None = None,
        description: str | None = None,
        examples: list[Any] | None = None,
        deprecated: bool = False,
    ) -> None:
        if alias == "" or not isinstance(alias, str | None):
            raise TypeError(f"{type(self).__name__}: alias: expected a name, got {alias!r}")
        given = {
            "ge": ge, "gt": gt, "le": le, "lt": lt, "multiple_of": multiple_of, "min_length": min_length,
            "max_length": max_length, "pattern": pattern, "title": title, "description": description,
            "examples": examples,
        }  # fmt: skip
        constraints: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        self.alias = alias
        self.deprecated = deprecated
        self.meta = Meta(**constraints) if constraints else None

    def __repr__(self) -> str:
        told = ([] if self.alias is None else [repr(self.alias)]) + ([] if self.meta is None else [repr(self.meta)])
        return f"{type(self).__name__}({', '.join(told)})"


class Path(Marker):
    """A parameter of the path, with constraints: ``number: Annotated[int, Path(ge=1)]``."""

    __slots__ = ()
    source = "path"


class Query(Marker):
    """A parameter of the query string. A class with fields, such as a Struct, takes several of them."""

    __slots__ = ()
    source = "query"


class Header(Marker):
    """A header field: ``user_agent: Annotated[str, Header()]`` is the field ``user-agent``."""

    __slots__ = ()
    source = "header"


class Cookie(Marker):
    """A cookie: ``theme: Annotated[str, Cookie()] = "light"``."""

    __slots__ = ()
    source = "cookie"


class Form(Marker):
    """A field of a form. A class with fields, such as a Struct, takes several of them."""

    __slots__ = ()
    source = "form"


class Body(Marker):
    """The body: JSON for most types, text for ``str``, and the bytes as they are for ``bytes``."""

    __slots__ = ()
    source = "body"


class Provide(Marker):
    """The result of a function: ``user: Annotated[User, Provide(find_user)]``. It is called once for a request.

    The function takes what a controller takes: the request, typed inputs, and what other functions provide. It is
    ``def`` or ``async def``, whatever the controller is; or a generator with one ``yield``, whose rest runs when the
    controller has returned or raised, before the response is sent.

    :param function: the function; None, the default, for the type that is annotated, which is called.
    :raises TypeError: for an object that cannot be called.

    :ivar function: the function, or None.
    """

    __slots__ = ("function",)
    source = "provide"

    def __init__(self, function: Callable[..., Any] | None = None) -> None:
        super().__init__()
        if function is not None and not callable(function):
            raise TypeError(f"Provide: expected a function, got {function!r}")
        self.function = function

    def __repr__(self) -> str:
        return f"Provide({getattr(self.function, '__name__', self.function)})"
