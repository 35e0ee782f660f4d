"""The middleware: starts the span of a request, makes it the current one for the controller, and ends it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from opentelemetry import context, propagate, trace
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider

from atlas import __version__
from atlas.errors import ClientDisconnected
from atlas.otel.attributes import SCHEMA_URL, request_attributes, span_name
from atlas.web.headers import RequestHeaders
from atlas.web.requests.request_head import RequestHead
from atlas.web.responses.response import Response
from atlas.web.scope_keys import ON_ERROR, STREAM_HOOKS

__all__ = ["OpenTelemetry"]


class OpenTelemetry:
    """Makes a span for each request, with the attributes of OpenTelemetry's semantic conventions for HTTP servers.

    The span is called after the method and the route (``GET /users/{name}``). Its parent is that of the ``traceparent``
    field, or what else the global propagator reads. It is the current span of the controller, ``def`` or ``async def``,
    and of the middleware inside. An exception that is answered with 500 is recorded. A stream ends its span.

    :param tracer_provider: makes the tracer; the global provider by default.
    :param exclude: paths without a span, such as those of health checks; none by default.
    """

    def __init__(self, tracer_provider: TracerProvider | None = None, *, exclude: Iterable[str] = ()) -> None:
        if isinstance(exclude, str):
            raise TypeError(f"OpenTelemetry: exclude: expected a list of paths, got {exclude!r}")
        self._tracer = trace.get_tracer("atlas", __version__, tracer_provider, SCHEMA_URL)
        self._exclude = frozenset(exclude)

    async def __call__(self, request: RequestHead, call_next: Callable[[RequestHead], Awaitable[Response]]) -> Response:
        """Run the request in a span."""
        if request.path in self._exclude:
            return await call_next(request)
        parent = propagate.extract(request.headers, getter=_Fields())
        span = self._tracer.start_span(span_name(request), parent, SpanKind.SERVER, request_attributes(request))
        notes = request._notes
        notes[ON_ERROR] = recorder = _Recorder(span, notes.get(ON_ERROR))
        stream = _StreamEnd(span)
        notes.setdefault(STREAM_HOOKS, []).append(stream)
        token = context.attach(trace.set_span_in_context(span, parent))
        try:
            response = await call_next(request)
        except BaseException as error:  # the client has disconnected, or the request is cancelled
            _set_error(span, type(error), isinstance(error, ClientDisconnected))
            span.end()
            raise
        finally:
            context.detach(token)
        span.set_attribute("http.response.status_code", response.status_code)
        if response.status_code >= 500:
            recorder.set_status(str(response.status_code))
        if not stream.has_begun:
            span.end()
        return response


class _Fields(Getter[RequestHeaders]):
    """Reads the header fields of a request for a propagator."""

    def get(self, carrier: RequestHeaders, key: str) -> list[str] | None:
        return list(carrier.get_all(key)) or None

    def keys(self, carrier: RequestHeaders) -> list[str]:
        return list(carrier)


class _Recorder:
    """Records an unhandled exception, and calls the listener that was there before.

    :param span: the span of the request.
    :param listener: the listener, or None.
    """

    def __init__(self, span: Span, listener: Callable[[Exception], Any] | None) -> None:
        self._span = span
        self._listener = listener
        self._kind: str | None = None

    def __call__(self, error: Exception) -> None:
        self._span.record_exception(error)
        self._kind = _name_of(type(error))
        if self._listener is not None:
            self._listener(error)

    def set_status(self, status: str) -> None:
        """The response is an error: of the exception, or else of its status."""
        self._span.set_attribute("error.type", self._kind or status)
        self._span.set_status(Status(StatusCode.ERROR))


class _StreamEnd:
    """Ends a span when the stream of its response has ended, or is dropped.

    :param span: the span.
    """

    def __init__(self, span: Span) -> None:
        self._span = span
        self.has_begun = False

    async def begin_stream(self, status_code: int) -> None:
        """Note that the response is a stream, whose end is that of the span."""
        self.has_begun = True

    async def pause_stream(self) -> None:
        """Do nothing: the span goes on while the client reads."""

    async def end_stream(self) -> None:
        """End the span."""
        self._span.end()

    def __del__(self) -> None:
        if self._span.is_recording():
            self._span.end()


def _set_error(span: Span, kind: type[BaseException], is_disconnect: bool) -> None:
    span.set_attribute("error.type", _name_of(kind))
    if not is_disconnect:  # which is no error of the server
        span.set_status(Status(StatusCode.ERROR))


def _name_of(kind: type[BaseException]) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
