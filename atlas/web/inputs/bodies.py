"""Values from request bodies: JSON, text, bytes, and the files of a form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import DecodeError, ValidationError, convert, json

from atlas.web.exceptions import UnsupportedMediaType
from atlas.web.inputs.defaults import default_maker
from atlas.web.inputs.models import find_model
from atlas.web.inputs.parameters import Input, bare_type, is_sequence, without_none
from atlas.web.inputs.text_values import WrongValue
from atlas.web.multidict import ManyValues
from atlas.web.requests.charsets import decode_text
from atlas.web.requests.request_head import RequestHead
from atlas.web.requests.validation import BODY, Problem, parse_json, pointer

__all__ = ["BodyValue", "FileValue"]


class BodyValue:
    """A parameter that is the body: JSON, or text for ``str``, or the bytes as they are for ``bytes``.

    :param parameter: the parameter.
    """

    def __init__(self, parameter: Input) -> None:
        self._make_default, self._required = default_maker(parameter.default), parameter.required
        kind = without_none(bare_type(parameter.kind))
        self._kind = parameter.kind
        self._convert: Callable[[RequestHead, bytes], Any]
        self._model = None
        self.errors: tuple[type[Exception], ...] = ()
        if kind is bytes:
            self._convert = lambda request, body: convert(body, parameter.kind)
        elif kind is str:
            self._convert = lambda request, body: convert(decode_text(body, request.content_type), parameter.kind)
        else:
            self._model = find_model(parameter.kind)
            self.errors = self._model.errors
            self._convert = self._decode

    def read(self, request: RequestHead, body: bytes) -> Any:
        """Return the value.

        :param request: the request.
        :param body: its body.
        :raises UnsupportedMediaType: for JSON with the content type of something else, or in a content coding.
        :raises WrongValue: if there is no body.
        :raises Exception: one of ``errors``, for a wrong value; others if the body is not JSON.
        """
        if not body:
            if self._required:
                raise WrongValue
            return self._make_default()
        return self._convert(request, body)

    def _decode(self, request: RequestHead, body: bytes) -> Any:
        assert self._model is not None
        request.check_coding()
        check_json_type(request.content_type)
        return self._model.decode(body)

    def find_problems(self, request: RequestHead, body: bytes) -> list[Problem]:
        """Find the errors in a body.

        :raises BadRequest: if it is not JSON.
        """
        if not body:
            return [(BODY, "missing")] if self._required else []
        try:
            self._convert(request, body)
        except Exception as error:
            if self._model is None:
                return [(BODY, str(error))]
            try:
                value = json.decode(body)
            except ValidationError:  # a number that Python cannot represent
                return [(BODY, str(error))]
            except (DecodeError, UnicodeDecodeError, RecursionError):
                value = parse_json(body)  # raises BadRequest, unless there is a byte order mark
            return self._model.find_problems(value, BODY, error) or [(BODY, str(error))]
        return []


def check_json_type(content_type: str | None) -> None:
    """Refuse JSON with another content type; a request without one passes.

    A browser sends ``text/plain`` and forms to other sites without asking them (CORS), and JSON only after it has.

    :param content_type: the content type of the request.
    :raises UnsupportedMediaType: for another media type.
    """
    media_type = (content_type or "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaType(
            f"expected application/json, got {media_type[:80]!r}", {"accept": "application/json"}
        )


class FileValue:
    """A parameter that is a file of a form, or a list of files.

    :param parameter: the parameter.
    """

    def __init__(self, parameter: Input) -> None:
        self._key = parameter.key
        self._many = is_sequence(parameter.kind)
        self._make_default, self._required = default_maker(parameter.default), parameter.required

    def read(self, files: ManyValues[Any]) -> Any:
        """Return the file, or the list of files.

        :param files: the files of the form.
        :raises WrongValue: if there is no file, or several where one is expected.
        """
        given = self._given(files)
        if not given:
            if self._required:
                raise WrongValue
            return self._make_default()
        if self._many:
            return given
        if len(given) > 1:
            raise WrongValue
        return given[0]

    def _given(self, files: ManyValues[Any]) -> list[Any]:
        """Return the files of the field, without that of an input element for which none was chosen."""
        return [each for each in files.get_all(self._key) if each.filename or each.size]

    def find_problems(self, files: ManyValues[Any]) -> list[Problem]:
        """Find the errors in the files of a form."""
        given, place = self._given(files), pointer("form", self._key)
        if not given and self._required:
            return [(place, "missing")]
        if len(given) > 1 and not self._many:
            return [(place, f"expected one file, got {len(given)}")]
        return []
