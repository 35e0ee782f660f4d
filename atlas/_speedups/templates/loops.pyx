"""``loop`` in templates: the attributes of :class:`jinja2.runtime.LoopContext`."""

from atlas._speedups.templates.context cimport MISSING


cdef class LoopState:
    """The position in a loop. It is an iterator over pairs of an item and itself.

    :param iterable: what the loop iterates over.
    :param undefined: the class of undefined values.
    :param recurse: renders the body of a recursive loop for other items: ``recurse(items, recurse, depth=1)``.
    :param depth0: how many loops it is nested in, by recursion.
    """

    def __init__(self, iterable, undefined, recurse=None, Py_ssize_t depth0=0):
        self._recurse = recurse
        self.depth0 = depth0
        self.start(iterable, undefined)

    cdef int start(self, object iterable, object undefined) except -1:
        self._iterable = iterable
        self._iterator = iter(iterable)
        self._undefined = undefined
        self.index0 = self.known_length = -1
        self.after = self.current = self.before = self.last_value = MISSING
        return 0

    cdef object advance(self):
        """Return the next item, or MISSING at the end."""
        value = self.after
        if value is not MISSING:
            self.after = MISSING
        else:
            value = next(self._iterator, MISSING)
            if value is MISSING:
                return MISSING
        self.index0 += 1
        self.before, self.current = self.current, value
        return value

    cdef object peek(self):
        """Return the item after the current one, or MISSING."""
        if self.after is MISSING:
            self.after = next(self._iterator, MISSING)
        return self.after

    cdef Py_ssize_t count(self) except -1:
        cdef list rest
        if self.known_length >= 0:
            return self.known_length
        try:
            self.known_length = len(self._iterable)
        except TypeError:
            rest = list(self._iterator)
            self._iterator = iter(rest)
            self.known_length = len(rest) + self.index0 + 1 + (self.after is not MISSING)
        return self.known_length

    @property
    def length(self):
        """How many items there are. What has no length is read to its end."""
        return self.count()

    def __len__(self):
        return self.count()

    @property
    def depth(self):
        """How many loops it is nested in, by recursion, from 1."""
        return self.depth0 + 1

    @property
    def index(self):
        """The number of the current item, from 1."""
        return self.index0 + 1

    @property
    def revindex0(self):
        """How many items follow."""
        return self.count() - self.index0 - 1

    @property
    def revindex(self):
        """How many items follow, the current one included."""
        return self.count() - self.index0

    @property
    def first(self):
        """Whether this is the first item."""
        return self.index0 == 0

    @property
    def last(self):
        """Whether this is the last item. The next one is read."""
        return self.peek() is MISSING

    @property
    def previtem(self):
        """The item before the current one; an undefined value for the first."""
        return self._undefined("there is no previous item") if self.index0 == 0 else self.before

    @property
    def nextitem(self):
        """The item after the current one; an undefined value for the last. It is read."""
        value = self.peek()
        return self._undefined("there is no next item") if value is MISSING else value

    def cycle(self, *args):
        """Return one of the arguments, by turns."""
        if not args:
            raise TypeError("no items for cycling given")
        return args[self.index0 % len(args)]

    def changed(self, *value):
        """Return whether the arguments are others than those of the last call."""
        if self.last_value != value:
            self.last_value = value
            return True
        return False

    def __iter__(self):
        return self

    def __next__(self):
        value = self.advance()
        if value is MISSING:
            raise StopIteration
        return value, self

    def __call__(self, iterable):
        if self._recurse is None:
            raise TypeError("The loop must have the 'recursive' marker to be called recursively.")
        return self._recurse(iterable, self._recurse, depth=self.depth0 + 1)

    def __repr__(self):
        return f"<{type(self).__name__} {self.index0 + 1}/{self.count()}>"


cdef LoopState new_loop(object kind, object iterable, object undefined):
    """Return a loop without calling its constructor.

    :param kind: the class, which has no constructor of its own.
    """
    cdef LoopState loop = <LoopState?>kind.__new__(kind)
    loop.start(iterable, undefined)
    return loop
