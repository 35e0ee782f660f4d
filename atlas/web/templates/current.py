"""The current request in templates, also in macros of templates that are imported without context.

Jinja2 runs an imported template once, and keeps its macros for all requests. The functions and objects of this module
find the request of the page that is rendered when they are used.
"""

from __future__ import annotations

from collections import UserString
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jinja2
from jinja2.runtime import Context

from atlas.web.requests.request_head import RequestHead
from atlas.web.templates.undefined import Missing

__all__ = ["CSRFToken", "CurrentRequest", "Rendering", "flashes", "importing", "rendering", "token_of", "url_for"]


class Rendering:
    """One page that is rendered.

    :param request: its request.
    :param taken: the flashed messages, if they were taken from the session before; None, the default, if not.
    """

    __slots__ = ("request", "taken")

    def __init__(self, request: RequestHead, taken: list[Any] | None = None) -> None:
        self.request = request
        self.taken = taken

    def flashes(self) -> list[Any]:
        """Return the flashed messages, and remove them."""
        if self.taken is None:
            messages: list[Any] = self.request.session.flashes()
            return messages
        messages, self.taken = self.taken, []
        return messages


_CURRENT: ContextVar[Rendering | None] = ContextVar("atlas.rendering", default=None)
_IMPORTING: ContextVar[bool] = ContextVar("atlas.importing", default=False)


class rendering:  # noqa: N801  # used as a function
    """A context manager in which a page is rendered.

    :param current: the page.
    """

    __slots__ = ("_current", "_token")

    def __init__(self, current: Rendering) -> None:
        self._current = current

    def __enter__(self) -> None:
        self._token = _CURRENT.set(self._current)

    def __exit__(self, *error: object) -> None:
        _CURRENT.reset(self._token)


@contextmanager
def importing(variables: Mapping[str, Any] | None) -> Iterator[None]:
    """Return a context manager in which the top level of an imported template runs.

    :param variables: the variables of the page, if it is imported with context. Without them the result is kept for all
        requests, so using the current request raises RuntimeError.
    """
    token = _IMPORTING.set(_IMPORTING.get() or not variables or "request" not in variables)
    try:
        yield
    finally:
        _IMPORTING.reset(token)


def _current(what: str) -> Rendering:
    if _IMPORTING.get():
        raise RuntimeError(
            f"{what} at the top level of an imported template, which runs once for all requests: "
            "use it in a macro, or import the template 'with context'"
        )
    current = _CURRENT.get()
    if current is None:
        raise RuntimeError(f"{what} in a template that is not rendered by render() or Templates.render()")
    return current


def token_of(request: RequestHead) -> Any:
    """Return the CSRF token of a request; without the CSRF middleware an undefined value that says so.

    :param request: the request.
    """
    token = request.state.get("csrf_token")
    if token is None:
        return Missing(hint="csrf_token: there is no CSRF middleware around this route", name="csrf_token")
    return token


class CurrentRequest:
    """The request of the page that is rendered: ``request`` in macros that are imported without context."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(_current(f"request.{name}").request, name)


class CSRFToken(UserString):
    """The token of the page that is rendered: ``csrf_token`` in macros that are imported without context."""

    def __init__(self) -> None:
        pass  # the text is that of the current request

    @property
    def data(self) -> str:  # type: ignore[override]  # computed here
        """The token.

        :raises jinja2.UndefinedError: without the CSRF middleware.
        """
        return str(token_of(_current("csrf_token").request))

    def __call__(self) -> str:
        """Return the token, as in templates of Flask."""
        return self.data

    def __bool__(self) -> bool:
        return bool(token_of(_current("csrf_token").request))


def _request_of(context: Context, what: str) -> RequestHead:
    request = context.get("request")
    if request is None or isinstance(request, CurrentRequest):
        return _current(what).request
    found: RequestHead = request
    return found


@jinja2.pass_context
def url_for(context: Context, name: str, /, **params: Any) -> str:
    """Return the URL of a route; see :meth:`RequestHead.url_for`."""
    return str(_request_of(context, "url_for()").url_for(name, **params))


@jinja2.pass_context
def flashes(context: Context) -> list[Any]:
    """Return the flashed messages of the session, and remove them."""
    request = context.get("request")
    current = _CURRENT.get()
    if request is None or isinstance(request, CurrentRequest) or (current is not None and current.request is request):
        return _current("flashes()").flashes()
    messages: list[Any] = request.session.flashes()
    return messages
