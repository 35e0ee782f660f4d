"""OpenTelemetry: a span for each request of an application.

    from atlas import Application, Route
    from atlas.otel import OpenTelemetry

    app = Application([Route("/", home)], middleware=[OpenTelemetry()])

``middleware`` is the public interface, ``attributes`` has the attributes of the semantic conventions. No other package
imports this one, so that Atlas runs without OpenTelemetry. It needs the extra ``otel``.
"""

from __future__ import annotations

from atlas.otel.middleware import OpenTelemetry

__all__ = ["OpenTelemetry"]
