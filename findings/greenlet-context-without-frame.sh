#!/usr/bin/env bash
# greenlet 3.5.6, CPython 3.11.7 and 3.13.0: `gr_context` can be set on a suspended greenlet, unless its run function is not
# a Python function. Such a greenlet has no Python frame (`gr_frame` is None), and the setter takes that for a greenlet that
# runs in another thread: ValueError "cannot set context of a greenlet that is running in a different thread". A pool of
# greenlets in an extension module has to set the context from within the greenlet, or to enter it there.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"${PYTHON:-python3}" -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check greenlet==3.5.6
"$scratch/venv/bin/python" - <<'CODE'
import contextvars
import sys

import greenlet

main = greenlet.getcurrent()


def run_in_python() -> None:
    main.switch()


outcomes = {}
for name, run in (("Python function", run_in_python), ("built-in method", main.switch)):
    suspended = greenlet.greenlet(run)
    suspended.switch()
    assert suspended and not suspended.dead
    try:
        suspended.gr_context = contextvars.Context()
        outcomes[name] = "set"
    except ValueError as error:
        outcomes[name] = str(error)
    print(f"{name}: frame {'yes' if suspended.gr_frame else 'no'}, context: {outcomes[name]}")
expected = {
    "Python function": "set",
    "built-in method": "cannot set context of a greenlet that is running in a different thread",
}
sys.exit(outcomes != expected)
CODE
