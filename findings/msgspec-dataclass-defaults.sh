#!/usr/bin/env bash
# msgspec 0.22.0: a dataclass that msgspec has decoded is not the dataclass that Python makes of the same values. A field
# that the input leaves out, with a plain default, is not set on the instance: the attribute is found on the class,
# vars() and pickle's state lack it, and encoding the instance again leaves it out, while an equal instance, made in
# Python, has it. With slots=True, or a default factory, the field is set. Seen on CPython 3.11.7.
set -euo pipefail
python="${PYTHON:-python3}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check msgspec==0.22.0
"$scratch/venv/bin/python" - <<'CODE'
import sys
from dataclasses import dataclass, field

import msgspec


@dataclass
class Plain:
    item: str
    quantity: int = 1


@dataclass(slots=True)
class Slots:
    item: str
    quantity: int = 1


@dataclass
class Factory:
    item: str
    quantity: int = field(default_factory=lambda: 1)


texts = {}
for kind in (Plain, Slots, Factory):
    decoded = msgspec.json.decode(b'{"item":"tea"}', type=kind)
    assert decoded == kind("tea") and decoded.quantity == 1
    texts[kind.__name__] = msgspec.json.encode(decoded).decode()
    print(f"{kind.__name__}: decoded and encoded again: {texts[kind.__name__]}")
texts["made in Python"] = msgspec.json.encode(Plain("tea")).decode()
print("Plain, made in Python:", texts["made in Python"])
whole = '{"item":"tea","quantity":1}'
sys.exit(texts != {"Plain": '{"item":"tea"}', "Slots": whole, "Factory": whole, "made in Python": whole})
CODE
