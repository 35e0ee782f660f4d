"""Scores servers by another project's requests: ``python -m bench.conformance``.

* ``corpus`` fetches the requests of gunicorn's test suite, at a fixed version, from the package index.
* ``app`` is the ASGI application that every server runs.
* ``score`` sends one to a server, and says whether it was accepted or refused.
"""
