"""The routes of an Atlas application, and the handler of each.

The table is filled at startup, and again after routes were added. The native gateway and ``Application.__call__``
(ASGI) both use it.
"""

cimport cython

from atlas._speedups.calls.handlers cimport ASYNC, Handler
from atlas._speedups.calls.request cimport RequestData

cdef bint has_body(dict scope) except -1:
    """Whether the request may have a body. With GET and HEAD this needs ``content-length`` or ``transfer-encoding``
    (RFC 9112, section 6)."""
    if scope["method"] not in ("GET", "HEAD"):
        return True
    for name, _ in scope["headers"]:
        if name == b"content-length" or name == b"transfer-encoding":
            return True
    return False


@cython.final
cdef class RouteTable:
    """The routes and handlers of an application.

    :param app: the application: has ``prepare()``, which calls :meth:`fill`, and ``match(method, path, fields)``, which
        is called where the tree is not sufficient.
    :param sync_type: the request class for handlers that are called.
    :param async_type: the request class for handlers that are awaited.
    """

    def __cinit__(self, app, sync_type, async_type):
        self.app = app
        self.sync_type = sync_type
        self.async_type = async_type

    def fill(self, tree, dict handlers not None, Handler no_match_handler not None):
        """Set the routes and their handlers.

        :param tree: the :class:`RouteTree`; None if routes depend on the host.
        :param handlers: for each route a pair of handlers, for requests with a body and without.
        :param no_match_handler: handles requests that no route matches.
        """
        self.tree = tree
        self.handlers = handlers
        self.no_match_handler = no_match_handler
        self.ready = True

    def clear(self):
        """Remove the routes: they are out of date, and have to be built again before the next request."""
        self.ready = False
        self.tree = None

    @property
    def is_ready(self):
        """Whether :meth:`fill` was called, and :meth:`clear` was not called since."""
        return self.ready

    def match(self, str method not None, bytes path not None):
        """Match a method and a path.

        :returns: the route and the path parameters; None if no route matches, or if there is no tree.
        """
        return None if self.tree is None else self.tree.match(method, path, False)

    def make_request(self, dict scope not None, receive, tuple found not None):
        """Create a request over an ASGI scope.

        :param scope: the scope, of type ``http``.
        :param receive: ASGI's ``receive``.
        :param found: the route and the path parameters, as :meth:`match` returns them.
        :returns: the request, of the class for its handler, and the handler.
        """
        cdef tuple pair = <tuple>self.handlers[found[0]]
        cdef Handler handler = <Handler>pair[1]
        cdef RequestData request
        if pair[0] is not handler:
            handler = <Handler>pair[has_body(scope) == 0]
        request = self.new_request(handler)
        request.init(self.app, found[0], <tuple>found[1], None)
        request.given_scope, request.given_receive = scope, receive
        return request, handler

    def get_handler(self, route, bint has_body):
        """Return the handler of a route.

        :param route: the route; None for requests that no route matches.
        :param has_body: whether the request may have a body.
        :raises KeyError: for an unknown route.
        """
        return self.handler(route, has_body)

    cdef tuple match_fallback(self, str method, bytes path, object fields, list no_match):
        """Match a request with ``app.match``, where the tree found no route or does not exist.

        :param fields: the header fields, for routes that depend on the host.
        :param no_match: if no route matches, the reason is appended to this list.
        :returns: the route and the path parameters; None if no route matches.
        """
        if not self.ready:
            self.app.prepare()
        result = self.app.match(method, path, fields)
        if type(result) is tuple:
            return <tuple>result
        no_match.append(result)
        return None

    cdef Handler handler(self, object route, bint has_body):
        cdef tuple pair
        if route is None:
            return self.no_match_handler
        pair = <tuple>self.handlers[route]
        return <Handler>(pair[0] if has_body else pair[1])

    cdef RequestData new_request(self, Handler handler):
        """Allocate a request of the class for a handler; the caller initializes it."""
        kind = self.async_type if handler.run_mode == ASYNC else self.sync_type
        return <RequestData>kind.__new__(kind)
