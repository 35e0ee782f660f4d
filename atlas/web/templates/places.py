"""The position in a template at which an exception was raised."""

from __future__ import annotations

import linecache
from dataclasses import dataclass

import jinja2

__all__ = ["TemplatePlace", "note_place", "template_place"]


@dataclass(frozen=True, slots=True)
class TemplatePlace:
    """The position of an error in a template.

    :ivar path: the file of the template; ``<template>`` for a template from a string.
    :ivar line: line number, from 1.
    :ivar text: the text of the line.
    """

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"in template {self.path}, line {self.line}: {self.text.strip()}"


def template_place(error: BaseException) -> TemplatePlace | None:
    """Return the position in a template at which an exception was raised; None if it was not raised in a template.

    It is that of the innermost template, such as an included one.

    :param error: the exception.
    """
    if isinstance(error, jinja2.TemplateSyntaxError):
        text = (error.source or "").splitlines()[error.lineno - 1 : error.lineno]
        return TemplatePlace(error.filename or "<template>", error.lineno, "".join(text))
    found, trace = None, error.__traceback__
    while trace is not None:
        # Jinja2 replaces the frames of compiled templates with frames that have this variable (jinja2.debug).
        if "__jinja_exception__" in trace.tb_frame.f_globals:
            found = trace
        trace = trace.tb_next
    if found is None:
        return None
    path, line = found.tb_frame.f_code.co_filename, found.tb_lineno
    return TemplatePlace(path, line, linecache.getline(path, line))


def note_place(error: Exception) -> None:
    """Add the position in the template to an exception, if it was raised in one.

    :param error: the exception.
    """
    place = template_place(error)
    if place is not None:
        error.add_note(str(place))
