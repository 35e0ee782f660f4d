"""``python -m tests.fuzz``: see :mod:`tests.fuzz.fuzz_requests`."""

from __future__ import annotations

import sys

from tests.fuzz.fuzz_requests import main

sys.exit(main())
