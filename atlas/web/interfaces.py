"""What a request needs of its application and of its route.

The application and the routes import requests; requests know only these protocols, so that imports go in one direction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from atlas.gateway.greenlets import Greenlets
from atlas.web.config import Config
from atlas.web.state import State

__all__ = ["ApplicationInterface", "RouteDescription", "RouteInterface", "TemplatesInterface"]


class TemplatesInterface(Protocol):
    """The templates of an application, see :class:`atlas.web.templates.templates.Templates`."""

    @property
    def may_wait(self) -> bool:
        """Whether a context processor or a function of a template may wait."""

    def render(
        self,
        request: Any,
        name: str,
        context: Mapping[str, Any] | None = None,
        block: str | None = None,
        *,
        content_type: str = "text/html",
    ) -> str:
        """Render a template to text.

        :param request: the request.
        :param name: name of the template, relative to the template folders.
        :param context: the variables of the template; None, the default, for none.
        :param block: name of the only block to render; None, the default, for the whole template.
        :param content_type: what the text is used as; what a template prints is escaped for HTML and XML.
        """

    def chunks(
        self,
        request: Any,
        name: str,
        context: Mapping[str, Any] | None = None,
        block: str | None = None,
        *,
        content_type: str = "text/html",
    ) -> Iterator[str]:
        """Render a template in chunks; the parameters are those of :meth:`render`."""


class RouteDescription(Protocol):
    """What tools and error pages show of a route, see :class:`atlas.web.routing.router.RouteInfo`."""

    @property
    def path(self) -> str:
        """The pattern, as it was written."""

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods, in upper case."""

    @property
    def name(self) -> str:
        """The name for ``url_for``."""

    @property
    def controller(self) -> Callable[..., Any]:
        """The function that answers."""

    @property
    def run(self) -> str:
        """How the controller is called: ``await``, ``inline``, ``greenlet`` or ``thread``."""

    @property
    def place(self) -> str:
        """File and line where the route was written: ``"app.py:12"``."""

    @property
    def host(self) -> str | None:
        """The host that the route belongs to; None for every host."""


class RouteInterface(RouteDescription, Protocol):
    """The route of a request, see :class:`atlas.web.routing.route.Route`."""

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """The names of the path parameters, in the order of the path."""

    @property
    def limit_body(self) -> int | None:
        """Maximum size of a request body in bytes; None for the application's limit."""

    @property
    def timeout(self) -> float | None:
        """Seconds until the request is answered with 503; None for no timeout."""

    @property
    def is_mount(self) -> bool:
        """Whether a mounted ASGI application answers."""


class ApplicationInterface(Protocol):
    """The application of a request, see :class:`atlas.web.application.Application`."""

    @property
    def config(self) -> Config:
        """The configuration."""

    @property
    def debug(self) -> bool:
        """Whether error pages show tracebacks."""

    @property
    def state(self) -> State:
        """Values that the program keeps with the application."""

    @property
    def json_encoder(self) -> Callable[[Any], Any] | None:
        """Converts values that have no JSON form; None if there is none."""

    @property
    def greenlets(self) -> Greenlets:
        """The greenlets in which sync code waits."""

    @property
    def templates(self) -> TemplatesInterface:
        """The templates."""

    def url_for(self, name: str, /, **params: Any) -> str:
        """Build the path of a route."""

    def url_parts(
        self, name: str, params: Mapping[str, Any], host: str | None = None, known: Mapping[str, Any] = ...
    ) -> tuple[str | None, str]:
        """Build host and path of a route, see :meth:`atlas.web.routing.router.Router.url_parts`."""

    def iter_routes(self) -> Iterator[RouteDescription]:
        """Iterate over all routes, in the order in which they were added."""

    def background(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """Call a function after the last byte of the current response."""
