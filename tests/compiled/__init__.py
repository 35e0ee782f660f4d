"""Doors into the compiled core, for tests: one extension module beside each ``.pyx`` file of this folder.

A ``cdef`` function cannot be called from Python. A door cimports it and offers a Python function with Python arguments
and results, so that the shipped modules contain nothing that only tests need. ``make test``, ``make quick`` and
``make build-tests`` compile the doors when they or the compiled core have changed; no wheel contains them.
"""

from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

_FOLDER = Path(__file__).parent
_missing = [
    source.name
    for source in sorted(_FOLDER.glob("*.pyx"))
    if not any(source.with_suffix(suffix).exists() for suffix in EXTENSION_SUFFIXES)
]
if _missing:
    raise ImportError(
        f"tests/compiled is not built for this Python ({', '.join(_missing)}): run `make build-tests`, "
        "or `ATLAS_TEST_BUILD=1 python setup.py build_ext --inplace`"
    )
