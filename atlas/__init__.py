"""Atlas: a web framework and its compiled server.

This module exports the public names. Each name is imported from its module on first access (PEP 562): a program that
uses only the server does not import the web framework, and vice versa.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_MODULES: dict[str, tuple[str, ...]] = {
    "atlas.errors": (
        "ClientDisconnected",
        "StartupError",
        "WebSocketDisconnected",
    ),
    "atlas.gateway.greenlets": ("await_",),
    "atlas.gateway.locals": ("Local",),
    "atlas.gateway.locks": ("Lock",),
    "atlas.gateway.threads": ("in_thread",),
    "atlas.server.run": ("run",),
    "atlas.server.server": ("Server",),
    "atlas.server.configuration.settings": ("Settings",),
    "atlas.testing": (
        "AsyncTestClient",
        "TestClient",
    ),
    "atlas.web.application": ("Application",),
    "atlas.web.cache.cache": ("AsyncCache", "Cache"),
    "atlas.web.config": ("Config",),
    "atlas.web.controllers": ("Controller",),
    "atlas.web.routing.converters": (
        "Converter",
        "register_converter",
    ),
    "atlas.web.exceptions": (
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
    ),
    "atlas.web.responses.events": (
        "EventSourceResponse",
        "ServerSentEvent",
    ),
    "atlas.web.responses.files": ("FileResponse",),
    "atlas.web.headers": ("Headers",),
    "atlas.web.inputs.markers": ("Body", "Cookie", "Form", "Header", "Path", "Provide", "Query"),
    "atlas.web.middleware.compress": ("Compress",),
    "atlas.web.middleware.conditional_get": ("ConditionalGet",),
    "atlas.web.middleware.cors": ("CORS",),
    "atlas.web.middleware.csrf": ("CSRF",),
    "atlas.web.middleware.decompress": ("Decompress",),
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
    "atlas.web.requests.request": (
        "AsyncRequest",
        "Request",
    ),
    "atlas.web.responses.response": (
        "HTMLResponse",
        "JSONResponse",
        "PlainTextResponse",
        "ProblemResponse",
        "RedirectResponse",
        "Response",
        "TextResponse",
        "json",
        "redirect",
    ),
    "atlas.web.responses.streaming": ("StreamingResponse",),
    "atlas.web.routing.route": ("Route",),
    "atlas.web.routing.router": ("RouteInfo",),
    "atlas.web.stores.files": ("FileStore",),
    "atlas.web.stores.memory": ("MemoryStore",),
    "atlas.web.sessions.session": ("Session",),
    "atlas.web.stores.store": ("Store",),
    "atlas.web.static": ("Static",),
    "atlas.web.requests.client_certificate": ("ClientCertificate",),
    "atlas.web.requests.forms": ("FormLimits",),
    "atlas.web.templates.responses": ("StreamingTemplate", "render"),
    "atlas.web.templates.templates": ("Templates",),
    "atlas.web.requests.uploads": (
        "AsyncUpload",
        "AsyncWebSocket",
        "Upload",
    ),
    "atlas.web.websockets.route": ("WebSocketRoute",),
    "atlas.web.websockets.websocket": ("AsyncWebSocket", "WebSocket"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

if TYPE_CHECKING:
    from atlas.errors import ClientDisconnected, StartupError, WebSocketDisconnected
    from atlas.gateway.greenlets import await_
    from atlas.gateway.locals import Local
    from atlas.gateway.locks import Lock
    from atlas.gateway.threads import in_thread
    from atlas.server.configuration.settings import Settings
    from atlas.server.run import run
    from atlas.server.server import Server
    from atlas.testing import AsyncTestClient, TestClient
    from atlas.web.application import Application
    from atlas.web.asgi import Middleware
    from atlas.web.cache.cache import AsyncCache, Cache
    from atlas.web.config import Config
    from atlas.web.controllers import Controller
    from atlas.web.exceptions import (
        BadRequest,
        Conflict,
        ContentTooLarge,
        Forbidden,
        Gone,
        HTTPException,
        MethodNotAllowed,
        MissingValue,
        NotFound,
        TooManyRequests,
        Unauthorized,
        UnprocessableContent,
        UnsupportedMediaType,
        abort,
    )
    from atlas.web.headers import Headers
    from atlas.web.inputs.markers import Body, Cookie, Form, Header, Path, Provide, Query
    from atlas.web.middleware.compress import Compress
    from atlas.web.middleware.conditional_get import ConditionalGet
    from atlas.web.middleware.cors import CORS
    from atlas.web.middleware.csrf import CSRF
    from atlas.web.middleware.decompress import Decompress
    from atlas.web.middleware.https_redirect import HTTPSRedirect
    from atlas.web.middleware.rate_limit import RateLimit
    from atlas.web.middleware.request_id import RequestID
    from atlas.web.middleware.security_headers import SecurityHeaders
    from atlas.web.middleware.sessions import Sessions
    from atlas.web.middleware.timeout import Timeout
    from atlas.web.middleware.trusted_hosts import TrustedHosts
    from atlas.web.mounts import Host, Include, Mount
    from atlas.web.multidict import MultiDict
    from atlas.web.requests.client_certificate import ClientCertificate
    from atlas.web.requests.forms import FormLimits
    from atlas.web.requests.request import AsyncRequest, Request
    from atlas.web.requests.uploads import AsyncUpload, Upload
    from atlas.web.responses.events import EventSourceResponse, ServerSentEvent
    from atlas.web.responses.files import FileResponse
    from atlas.web.responses.response import (
        HTMLResponse,
        JSONResponse,
        PlainTextResponse,
        ProblemResponse,
        RedirectResponse,
        Response,
        TextResponse,
        json,
        redirect,
    )
    from atlas.web.responses.streaming import StreamingResponse
    from atlas.web.routing.converters import Converter, register_converter
    from atlas.web.routing.route import Route
    from atlas.web.routing.router import RouteInfo
    from atlas.web.sessions.session import Session
    from atlas.web.static import Static
    from atlas.web.stores.files import FileStore
    from atlas.web.stores.memory import MemoryStore
    from atlas.web.stores.store import Store
    from atlas.web.templates.responses import StreamingTemplate, render
    from atlas.web.templates.templates import Templates
    from atlas.web.websockets.route import WebSocketRoute
    from atlas.web.websockets.websocket import AsyncWebSocket, WebSocket

__all__ = [
    "CORS",
    "CSRF",
    "Application",
    "AsyncCache",
    "AsyncRequest",
    "AsyncTestClient",
    "AsyncUpload",
    "AsyncWebSocket",
    "BadRequest",
    "Body",
    "Cache",
    "ClientCertificate",
    "ClientDisconnected",
    "Compress",
    "ConditionalGet",
    "Config",
    "Conflict",
    "ContentTooLarge",
    "Controller",
    "Converter",
    "Cookie",
    "Decompress",
    "EventSourceResponse",
    "FileResponse",
    "FileStore",
    "Forbidden",
    "Form",
    "FormLimits",
    "Gone",
    "HTMLResponse",
    "HTTPException",
    "HTTPSRedirect",
    "Header",
    "Headers",
    "Host",
    "Include",
    "JSONResponse",
    "Local",
    "Lock",
    "MemoryStore",
    "MethodNotAllowed",
    "Middleware",
    "MissingValue",
    "Mount",
    "MultiDict",
    "NotFound",
    "Path",
    "PlainTextResponse",
    "ProblemResponse",
    "Provide",
    "Query",
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
    "Templates",
    "TestClient",
    "TextResponse",
    "Timeout",
    "TooManyRequests",
    "TrustedHosts",
    "Unauthorized",
    "UnprocessableContent",
    "UnsupportedMediaType",
    "Upload",
    "WebSocket",
    "WebSocketDisconnected",
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
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'atlas' has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
