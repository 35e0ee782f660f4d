"""Jinja2 templates: the only room that knows Jinja2, and loads it only when somebody renders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from atlas.web.response import HTMLResponse

if TYPE_CHECKING:
    from atlas.web.request import RequestHead

__all__ = ["Missing", "Templates", "render"]


class Missing(jinja2.StrictUndefined):
    """A variable that is not there: it may be asked for in a condition, but never written to the page as nothing."""

    __slots__ = ()

    def __bool__(self) -> bool:  # type: ignore[override]  # the parent's refuses, and says so in its type
        return False


class Templates:
    """The templates of an application.

    :param folders: where they are looked for, in this order.
    :param reload: look for changed files at each rendering.
    """

    def __init__(self, folders: Sequence[Path], *, reload: bool = False) -> None:
        self.environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader([str(folder) for folder in folders]),
            autoescape=jinja2.select_autoescape(("html", "htm", "xhtml", "xml", "svg"), default_for_string=True),
            undefined=Missing,
            auto_reload=reload,
        )
        self.environment.globals["url_for"] = _url_for

    def render(self, request: RequestHead, name: str, context: Mapping[str, Any], block: str | None = None) -> str:
        """A template, or one block of it, as text. It sees ``request``, ``url_for`` and the context.

        :raises jinja2.TemplateError: if it is missing or wrong. :raises LookupError: if it has no such block.
        """
        template = self.environment.get_template(name)
        values = {"request": request, **context}
        if block is None:
            return template.render(values)
        if block not in template.blocks:
            raise LookupError(f"template {name!r} has no block {block!r}, only " + ", ".join(sorted(template.blocks)))
        return "".join(template.blocks[block](template.new_context(values)))


@jinja2.pass_context
def _url_for(context: jinja2.runtime.Context, name: str, /, **params: Any) -> str:
    return str(context["request"].url_for(name, **params))


def render(
    request: RequestHead,
    name: str,
    context: Mapping[str, Any] | None = None,
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
    block: str | None = None,
) -> HTMLResponse:
    """A page from a template.

    :param name: relative to the template folders.
    :param context: the variables of the template, beside ``request`` and ``url_for``.
    :param block: only this block of it: a part of a page for a script that asked for it.
    :raises jinja2.TemplateError: if it is missing or wrong.
    """
    text = request.app.templates.render(request, name, context or {}, block)
    return HTMLResponse(text, status_code, headers)
