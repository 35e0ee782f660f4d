#!/usr/bin/env bash
# msgspec 0.22.0: enc_hook, the function for types that the encoder does not know, is called for the keys of a dict as well:
# None, True and tuples as keys reach it, and what it returns becomes the key. As values None and True never reach it, and a
# tuple is an array. A subclass of UUID never reaches it, as key or value, while a subclass of datetime does: a hook that is
# written for values decides about keys without being asked. Seen on CPython 3.11.7.
set -euo pipefail
python="${PYTHON:-python3}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check msgspec==0.22.0
"$scratch/venv/bin/python" - <<'CODE'
import datetime
import sys
import uuid

import msgspec


class Number(uuid.UUID):
    pass


class Moment(datetime.datetime):
    pass


def calls_for(value):
    calls = []

    def hook(item):
        calls.append(type(item).__name__)
        return "hook"

    return calls, msgspec.json.Encoder(enc_hook=hook).encode(value)


values = {
    "None as a value": {"a": None},
    "None as a key": {None: 1},
    "True as a key": {True: 1},
    "a tuple as a value": {"a": (1, 2)},
    "a tuple as a key": {(1, 2): 1},
    "a subclass of UUID": [Number(int=1)],
    "a subclass of datetime": [Moment(2026, 1, 1)],
}
seen = {name: calls_for(value)[0] for name, value in values.items()}
for name, calls in seen.items():
    print(f"{name}: the hook was called for {calls or 'nothing'}")
expected = {
    "None as a value": [],
    "None as a key": ["NoneType"],
    "True as a key": ["bool"],
    "a tuple as a value": [],
    "a tuple as a key": ["tuple"],
    "a subclass of UUID": [],
    "a subclass of datetime": ["Moment"],
}
sys.exit(seen != expected)
CODE
