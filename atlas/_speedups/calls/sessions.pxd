"""WebSockets: refuses wrong handshakes, and runs the application of the others in a task."""

from atlas._speedups.calls.tasks cimport TaskStarter
from atlas._speedups.http.exchange cimport Exchange, Gateway
from atlas._speedups.websocket.session cimport WebSocketSession

# Whether a request is a handshake that becomes a session, or is refused; any other request is answered as such.
cdef bint is_handshake(Exchange exchange) except -1

# The session of a handshake; None if it was refused.
cdef WebSocketSession open_session(Exchange exchange)

# Calls an ASGI application for a handshake.
cdef int start_asgi_session(Gateway gateway, TaskStarter starter, object app, object context, Exchange exchange) except -1

# Runs a coroutine for a session. The gateway has session_failed(session, error) and session_unanswered(session).
cdef int run_session(
    Gateway gateway, TaskStarter starter, WebSocketSession session, object coroutine, object context
) except -1
cdef int end_session(Gateway gateway, WebSocketSession session, object error) except -1
