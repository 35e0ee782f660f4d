"""The ways in which a test of the web half asks an application: in its own process, and over a socket.

The same tests run in every way; whatever differs is a mistake in one of the two halves, or in the test. ``servers`` is
who answers, ``client`` who asks over a socket, ``asking`` what both make of a test's question.
"""
