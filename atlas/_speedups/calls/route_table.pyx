"""What an application of our own has for each request: the tree of its routes, and what answers them.

It is filled at start-up, and again when routes were added; both ways into an application, the native one and ASGI, read
it.
"""

cimport cython

from atlas._speedups.calls.handlers cimport ASYNC, Handler
from atlas._speedups.calls.request cimport RequestData

cdef bint has_body(dict scope) except -1:
    """May there be a body? One with GET or HEAD has to say so (RFC 9112 6); else there is no need to look."""
    if scope["method"] not in ("GET", "HEAD"):
        return True
    for name, _ in scope["headers"]:
        if name == b"content-length" or name == b"transfer-encoding":
            return True
    return False


@cython.final
cdef class RouteTable:
    """The routes of an application, ready to be asked.

    :param app: has ``prepare()``, which calls :meth:`fill`, and ``match(method, path, host)`` for what no single tree
        can answer.
    :param sync_type: the class of requests for handlers that are called.
    :param async_type: the class of requests for handlers that are awaited.
    """

    def __cinit__(self, app, sync_type, async_type):
        self.app = app
        self.sync_type = sync_type
        self.async_type = async_type

    def fill(self, tree, dict handlers not None, Handler missing not None):
        """Take over what was built.

        :param tree: the :class:`RouteTree`; None if the host has to be looked at first.
        :param handlers: by route a pair, for requests with a body and without.
        :param missing: what answers where no route does.
        """
        self.tree = tree
        self.handlers = handlers
        self.missing = missing
        self.ready = True

    def clear(self):
        """Something was added: what is here is out of date."""
        self.ready = False
        self.tree = None

    @property
    def is_ready(self):
        """Whether it has been filled."""
        return self.ready

    def find(self, str method not None, bytes path not None):
        """The route and the path parameters; None if there is none, or the tree alone can't tell."""
        return None if self.tree is None else self.tree.seek(method, path, False)

    def take(self, dict scope not None, receive, tuple found not None):
        """A request over a scope, in the form that its handler wants, and that handler.

        :param found: the route and the path parameters.
        """
        cdef tuple pair = <tuple>self.handlers[found[0]]
        cdef Handler handler = <Handler>pair[1]
        cdef RequestData view
        if pair[0] is not handler:
            handler = <Handler>pair[has_body(scope) == 0]
        view = self.new_view(handler)
        view.begin(self.app, found[0], <tuple>found[1], None)
        view.given_scope, view.given_receive = scope, receive
        return view, handler

    def handler_of(self, route, bint has_body):
        """Python's view of :meth:`handler`."""
        return self.handler(route, has_body)

    cdef tuple look_up(self, str method, bytes path, object fields, list miss):
        """The route and the path parameters, where the tree did not know them: it was not there yet, or has none.

        If there is no route, what there is instead is put in ``miss``. ``fields``: the header fields, for the host.
        """
        if not self.ready:
            self.app.prepare()
        result = self.app.match(method, path, fields)
        if type(result) is tuple:
            return <tuple>result
        miss.append(result)
        return None

    cdef Handler handler(self, object route, bint has_body):
        cdef tuple pair
        if route is None:
            return self.missing
        pair = <tuple>self.handlers[route]
        return <Handler>(pair[0] if has_body else pair[1])

    cdef RequestData new_view(self, Handler handler):
        """A request for a handler, still empty."""
        kind = self.async_type if handler.run_mode == ASYNC else self.sync_type
        return <RequestData>kind.__new__(kind)
