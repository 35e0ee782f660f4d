"""The settings of uvicorn that Atlas does not have, each with what to use instead; a start script may name them."""

from __future__ import annotations

__all__ = ["uvicorn_advice"]

_NOT_YET = "is not in this version of Atlas"
_WEBSOCKETS = f"{_NOT_YET}, which serves no WebSockets"

_ADVICE = {
    "timeout_worker_healthcheck": "is --timeout-worker-heartbeat in Atlas",
    "http": "has no meaning for Atlas, which has one HTTP parser: leave it out",
    "http2": f"{_NOT_YET}: a proxy in front of it can speak HTTP/2",
    "ws": _WEBSOCKETS,
    "ws_max_size": _WEBSOCKETS,
    "ws_max_queue": _WEBSOCKETS,
    "ws_ping_interval": _WEBSOCKETS,
    "ws_ping_timeout": _WEBSOCKETS,
    "ws_per_message_deflate": _WEBSOCKETS,
    "limit_max_requests_jitter": f"{_NOT_YET}: give each process a --limit-max-requests of its own",
    "h11_max_incomplete_event_size": "is --limit-request-head in Atlas",
    "reset_contextvars": "has no meaning for Atlas, where each request has a context of its own: leave it out",
}


def uvicorn_advice(name: str) -> str | None:
    """Return what to say about a setting of uvicorn that Atlas does not have: ``"is not in this version ..."``.

    :param name: the name of the setting, or its flag.
    :returns: None for any other name.
    """
    known = name.lstrip("-").replace("-", "_").lower()
    return _ADVICE.get(known) or _ADVICE.get(known.removeprefix("no_"))
