"""HTTP errors as exceptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from atlas.reasons import REASON_PHRASES

__all__ = [
    "BadRequest",
    "Conflict",
    "ContentTooLarge",
    "Forbidden",
    "Gone",
    "HTTPException",
    "MethodNotAllowed",
    "MissingValue",
    "NotFound",
    "TooManyRequests",
    "Unauthorized",
    "UnprocessableContent",
    "UnsupportedMediaType",
    "abort",
    "status_phrase",
]


def status_phrase(status_code: int) -> str:
    """Return the reason phrase of a status code (RFC 9110 15).

    :param status_code: the status code.
    :returns: the phrase; "Error" for an unknown code.
    """
    return REASON_PHRASES.get(status_code, "Error")


class HTTPException(Exception):
    """An error with a status code: raising it answers the request with an error response.

    :param status_code: 400 to 599; None, the default, for the status of the class, 500 in this one.
    :param detail: one sentence for the client; a mapping for members of the problem document, with the sentence as
        ``detail``; None, the default, for the meaning of the status.
    :param headers: more header fields of the response.
    :raises TypeError: for a detail that is neither text nor a mapping.
    :raises ValueError: for a status that is not an error, and for a member ``status``.

    :ivar members: extension members of the problem document (RFC 9457 3.2); the values must have a JSON form.
    """

    status_code: int = 500

    def __init__(
        self,
        status_code: int | None = None,
        detail: str | Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
    ) -> None:
        if status_code is not None:
            self.status_code = status_code
        if not 400 <= self.status_code <= 599:
            raise ValueError(f"HTTPException: expected a status from 400 to 599, got {self.status_code}")
        super().__init__(self.status_code, detail)
        self.members: dict[str, Any] = {}
        if isinstance(detail, Mapping):
            self.members = dict(detail)
            detail = self.members.pop("detail", None)
            if "status" in self.members:
                raise ValueError(f"{type(self).__name__}: detail: the member 'status' is the number {self.status_code}")
        if detail is not None and not isinstance(detail, str):
            raise TypeError(f"{type(self).__name__}: detail: expected a str or a mapping, got {type(detail).__name__}")
        self.detail = detail
        pairs: list[tuple[str, str]] = list(headers.items() if isinstance(headers, Mapping) else headers or ())
        self.headers: dict[str, str] = dict(reversed(pairs))
        self._more = [pair for index, pair in enumerate(pairs) if pair[0] in dict(pairs[:index])]

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The header fields as pairs: those of ``headers``, and further ones of the same names."""
        return [*self.headers.items(), *self._more]

    def __str__(self) -> str:
        return f"{self.status_code} {self.detail or status_phrase(self.status_code)}"


class _FixedStatus(HTTPException):
    """An HTTPException whose class has the status."""

    def __init__(
        self,
        detail: str | Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
    ) -> None:
        super().__init__(None, detail, headers)


class BadRequest(_FixedStatus):
    """400: the request is malformed (RFC 9110 15.5.1)."""

    status_code = 400


class MissingValue(BadRequest, KeyError):
    """400: the request lacks a value that the program asks for by name, such as ``request.query["page"]``.

    It is a KeyError too, for programs that catch one.
    """


class Unauthorized(_FixedStatus):
    """401: the client has to authenticate. RFC 9110 15.5.2 requires a ``www-authenticate`` field."""

    status_code = 401


class Forbidden(_FixedStatus):
    """403: the server refuses the request (RFC 9110 15.5.4)."""

    status_code = 403


class NotFound(_FixedStatus):
    """404: the path has no resource (RFC 9110 15.5.5)."""

    status_code = 404


class MethodNotAllowed(_FixedStatus):
    """405: the resource does not support the method. RFC 9110 15.5.6 requires an ``allow`` field."""

    status_code = 405


class Conflict(_FixedStatus):
    """409: the request conflicts with the state of the resource (RFC 9110 15.5.10)."""

    status_code = 409


class Gone(_FixedStatus):
    """410: the resource existed, and was removed (RFC 9110 15.5.11)."""

    status_code = 410


class ContentTooLarge(_FixedStatus):
    """413: the body is over a limit (RFC 9110 15.5.14).

    :param setting: the setting of the limit, for the log: ``limit_body``.
    """

    status_code = 413

    def __init__(
        self, detail: str | None = None, headers: Mapping[str, str] | None = None, *, setting: str | None = None
    ) -> None:
        super().__init__(detail, headers)
        self.setting = setting


class UnsupportedMediaType(_FixedStatus):
    """415: the controller does not read bodies of this media type (RFC 9110 15.5.16)."""

    status_code = 415


class UnprocessableContent(_FixedStatus):
    """422: the body is well-formed, but its content is invalid (RFC 9110 15.5.21)."""

    status_code = 422


class TooManyRequests(_FixedStatus):
    """429: the client has sent too many requests (RFC 6585 4)."""

    status_code = 429


_BY_STATUS = {kind.status_code: kind for kind in _FixedStatus.__subclasses__()}


def abort(
    status_code: int,
    detail: str | Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
) -> NoReturn:
    """Raise the HTTPException of a status: ``abort(404)`` is ``raise NotFound()``.

    :param status_code: 400 to 599.
    :param detail: one sentence for the client; None for the meaning of the status.
    :param headers: more header fields of the response.
    :raises HTTPException: always.
    :raises ValueError: for a status that is not an error.
    """
    kind = _BY_STATUS.get(status_code)
    if kind is not None:
        raise kind(detail, headers)
    raise HTTPException(status_code, detail, headers)
