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
    "atlas.errors": (
        "ClientDisconnected",
        "StartupError",
    ),
    "atlas.gateway.greenlets": ("await_",),
    "atlas.gateway.locals": ("Local",),
    "atlas.gateway.locks": ("Lock",),
    "atlas.gateway.threads": ("in_thread",),
    "atlas.server.server": (
        "Server",
        "run",
    ),
    "atlas.server.settings": ("Settings",),
    "atlas.testing": (
        "AsyncTestClient",
        "TestClient",
    ),
    "atlas.web.application": ("Application",),
    "atlas.web.config": ("Config",),
    "atlas.web.controllers": ("Controller",),
    "atlas.web.converters": (
        "Converter",
        "register_converter",
    ),
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
    "atlas.web.events": (
        "EventSourceResponse",
        "ServerSentEvent",
    ),
    "atlas.web.files": ("FileResponse",),
    "atlas.web.headers": ("Headers",),
    "atlas.web.middleware.compress": ("Compress",),
    "atlas.web.middleware.conditional_get": ("ConditionalGet",),
    "atlas.web.middleware.cors": ("CORS",),
    "atlas.web.middleware.csrf": ("CSRF",),
    "atlas.web.asgi": ("Middleware",),
    "atlas.web.middleware.https_redirect": ("HTTPSRedirect",),
    "atlas.web.middleware.rate_limit": ("RateLimit",),
    "atlas.web.middleware.request_id": ("RequestID",),
    "atlas.web.middleware.security_headers": ("SecurityHeaders",),
    "atlas.web.middleware.sessions": ("Sessions",),
    "atlas.web.middleware.timeout": ("Timeout",),
    "atlas.web.middleware.trusted_hosts": ("TrustedHosts",),
    "atlas.web.mounts": (
        "Host",
        "Include",
        "Mount",
    ),
    "atlas.web.multidict": ("MultiDict",),
    "atlas.web.request": (
        "AsyncRequest",
        "Request",
    ),
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
    "atlas.web.routing": (
        "Route",
        "RouteInfo",
    ),
    "atlas.web.sessions.files": ("FileStore",),
    "atlas.web.sessions.memory": ("MemoryStore",),
    "atlas.web.sessions.session": ("Session",),
    "atlas.web.sessions.stores": ("Store",),
    "atlas.web.static": ("Static",),
    "atlas.web.forms": ("FormLimits",),
    "atlas.web.templates": ("StreamingTemplate", "render"),
    "atlas.web.uploads": (
        "AsyncUpload",
        "Upload",
    ),
    "atlas.web.websocket": ("WebSocketRoute",),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

if TYPE_CHECKING:
    from atlas.errors import ClientDisconnected, StartupError
    from atlas.gateway.greenlets import await_
    from atlas.gateway.locals import Local
    from atlas.gateway.locks import Lock
    from atlas.gateway.threads import in_thread
    from atlas.server.server import Server, run
    from atlas.server.settings import Settings
    from atlas.testing import AsyncTestClient, TestClient
    from atlas.web.application import Application
    from atlas.web.asgi import Middleware
    from atlas.web.config import Config
    from atlas.web.controllers import Controller
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
    from atlas.web.headers import Headers
    from atlas.web.middleware.compress import Compress
    from atlas.web.middleware.conditional_get import ConditionalGet
    from atlas.web.middleware.cors import CORS
    from atlas.web.middleware.csrf import CSRF
    from atlas.web.middleware.https_redirect import HTTPSRedirect
    from atlas.web.middleware.rate_limit import RateLimit
    from atlas.web.middleware.request_id import RequestID
    from atlas.web.middleware.security_headers import SecurityHeaders
    from atlas.web.middleware.sessions import Sessions
    from atlas.web.middleware.timeout import Timeout
    from atlas.web.middleware.trusted_hosts import TrustedHosts
    from atlas.web.mounts import Host, Include, Mount
    from atlas.web.multidict import MultiDict
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
    from atlas.web.sessions.files import FileStore
    from atlas.web.sessions.memory import MemoryStore
    from atlas.web.sessions.session import Session
    from atlas.web.sessions.stores import Store
    from atlas.web.static import Static
    from atlas.web.templates import StreamingTemplate, render
    from atlas.web.uploads import AsyncUpload, Upload
    from atlas.web.websocket import WebSocketRoute

__all__ = [
    "CORS",
    "CSRF",
    "Application",
    "AsyncRequest",
    "AsyncTestClient",
    "AsyncUpload",
    "BadRequest",
    "ClientDisconnected",
    "Compress",
    "ConditionalGet",
    "Config",
    "Conflict",
    "ContentTooLarge",
    "Controller",
    "Converter",
    "EventSourceResponse",
    "FileResponse",
    "FileStore",
    "Forbidden",
    "FormLimits",
    "Gone",
    "HTMLResponse",
    "HTTPException",
    "HTTPSRedirect",
    "Headers",
    "Host",
    "Include",
    "JSONResponse",
    "Local",
    "Lock",
    "MemoryStore",
    "MethodNotAllowed",
    "Middleware",
    "Mount",
    "MultiDict",
    "NotFound",
    "PlainTextResponse",
    "ProblemResponse",
    "RateLimit",
    "RedirectResponse",
    "Request",
    "RequestID",
    "Response",
    "Route",
    "RouteInfo",
    "SecurityHeaders",
    "Server",
    "ServerSentEvent",
    "Session",
    "Sessions",
    "Settings",
    "StartupError",
    "Static",
    "Store",
    "StreamingResponse",
    "StreamingTemplate",
    "TestClient",
    "TextResponse",
    "Timeout",
    "TooManyRequests",
    "TrustedHosts",
    "Unauthorized",
    "UnprocessableContent",
    "UnsupportedMediaType",
    "Upload",
    "WebSocketRoute",
    "__version__",
    "abort",
    "await_",
    "in_thread",
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
