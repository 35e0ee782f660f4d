"""Atlas: a web framework and the compiled server under it.

The public names live here and nothing else does. Each is imported from its room when it is first asked for (PEP 562),
so that ``import atlas`` costs next to nothing: a program that only serves never loads the templates, and one that
only answers never loads the server.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_ROOMS: dict[str, tuple[str, ...]] = {
    "atlas.errors": ("ClientDisconnected", "StartupError"),
    "atlas.server.server": ("Server", "run"),
    "atlas.server.settings": ("Settings",),
    "atlas.web.converters": ("Converter", "register_converter"),
    "atlas.web.application": ("Application",),
    "atlas.web.errors": (
        "BadRequest",
        "Conflict",
        "ContentTooLarge",
        "Forbidden",
        "Gone",
        "HTTPException",
        "MethodNotAllowed",
        "NotFound",
        "TooManyRequests",
        "Unauthorized",
        "UnprocessableContent",
        "UnsupportedMediaType",
        "abort",
    ),
    "atlas.web.events": ("EventSourceResponse", "ServerSentEvent"),
    "atlas.web.forms": ("FormLimits",),
    "atlas.web.request": ("AsyncRequest", "Request"),
    "atlas.web.files": ("FileResponse",),
    "atlas.web.response": (
        "HTMLResponse",
        "JSONResponse",
        "PlainTextResponse",
        "ProblemResponse",
        "RedirectResponse",
        "Response",
        "StreamingResponse",
        "TextResponse",
        "json",
        "redirect",
    ),
    "atlas.web.routing": ("Route", "RouteInfo"),
    "atlas.web.static": ("Static",),
    "atlas.web.templates": ("StreamingTemplate", "render"),
    "atlas.web.uploads": ("AsyncUpload", "Upload"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

if TYPE_CHECKING:
    from atlas.errors import ClientDisconnected, StartupError
    from atlas.server.server import Server, run
    from atlas.server.settings import Settings
    from atlas.web.application import Application
    from atlas.web.converters import Converter, register_converter
    from atlas.web.errors import (
        BadRequest,
        Conflict,
        ContentTooLarge,
        Forbidden,
        Gone,
        HTTPException,
        MethodNotAllowed,
        NotFound,
        TooManyRequests,
        Unauthorized,
        UnprocessableContent,
        UnsupportedMediaType,
        abort,
    )
    from atlas.web.events import EventSourceResponse, ServerSentEvent
    from atlas.web.files import FileResponse
    from atlas.web.forms import FormLimits
    from atlas.web.request import AsyncRequest, Request
    from atlas.web.response import (
        HTMLResponse,
        JSONResponse,
        PlainTextResponse,
        ProblemResponse,
        RedirectResponse,
        Response,
        StreamingResponse,
        TextResponse,
        json,
        redirect,
    )
    from atlas.web.routing import Route, RouteInfo
    from atlas.web.static import Static
    from atlas.web.templates import StreamingTemplate, render
    from atlas.web.uploads import AsyncUpload, Upload

__all__ = [
    "Application",
    "AsyncRequest",
    "AsyncUpload",
    "BadRequest",
    "ClientDisconnected",
    "Conflict",
    "ContentTooLarge",
    "Converter",
    "EventSourceResponse",
    "FileResponse",
    "Forbidden",
    "FormLimits",
    "Gone",
    "HTMLResponse",
    "HTTPException",
    "JSONResponse",
    "MethodNotAllowed",
    "NotFound",
    "PlainTextResponse",
    "ProblemResponse",
    "RedirectResponse",
    "Request",
    "Response",
    "Route",
    "RouteInfo",
    "Server",
    "ServerSentEvent",
    "Settings",
    "StartupError",
    "Static",
    "StreamingResponse",
    "StreamingTemplate",
    "TextResponse",
    "TooManyRequests",
    "Unauthorized",
    "UnprocessableContent",
    "UnsupportedMediaType",
    "Upload",
    "__version__",
    "abort",
    "json",
    "redirect",
    "register_converter",
    "render",
    "run",
]


def __getattr__(name: str) -> Any:
    room = _ROOM_OF.get(name)
    if room is None:
        raise AttributeError(f"module 'atlas' has no attribute {name!r}")
    value = getattr(import_module(room), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
