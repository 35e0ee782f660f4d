"""Form bodies, read within bounds. For now ``application/x-www-form-urlencoded``; multipart has its own room later."""

from __future__ import annotations

from urllib.parse import parse_qsl

from atlas.web.errors import BadRequest, ContentTooLarge, UnsupportedMediaType
from atlas.web.multidict import MultiDict

__all__ = ["check_form_type", "parse_urlencoded"]

MAX_FIELDS = 1000
MAX_FORM = 1024 * 1024


def check_form_type(content_type: str) -> None:
    """Refuse what is no form. A request without a content type counts as one: it has no fields.

    :raises UnsupportedMediaType: for another type.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in ("", "application/x-www-form-urlencoded"):
        raise UnsupportedMediaType("expected a form (application/x-www-form-urlencoded)", {"accept-post": _FORM})


_FORM = "application/x-www-form-urlencoded"


def parse_urlencoded(data: bytes, *, what: str = "form", max_fields: int = MAX_FIELDS) -> MultiDict:
    """The fields of a form body or a query string, in their order, empty ones included.

    :param what: the word for it in messages.
    :raises BadRequest: for more than ``max_fields`` fields, or for text that is no UTF-8.
    :raises ContentTooLarge: for more than :data:`MAX_FORM` bytes.
    """
    if len(data) > MAX_FORM:
        raise ContentTooLarge(f"a {what} has at most {MAX_FORM} bytes")
    if data.count(b"&") >= max_fields:
        raise BadRequest(f"a {what} has at most {max_fields} fields")
    try:
        return MultiDict(parse_qsl(data.decode(), keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        raise BadRequest(f"the {what} is not UTF-8") from None
