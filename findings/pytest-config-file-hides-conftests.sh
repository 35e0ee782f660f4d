#!/usr/bin/env bash
# pytest 9.2.0, pytest-benchmark 5.3.1: with "-c FILE" the folder of FILE bounds the search for conftest.py, though rootdir and
# the tests lie above it. Fixtures of the conftests above are "not found"; the benchmarks that use them fail, the JSON of
# pytest-benchmark is written without them, and a comparison with it names none of them. "--confcutdir=." finds them again.
# Seen on CPython 3.11.7: 1 benchmark in the JSON with -c alone, 2 with --confcutdir.
set -euo pipefail
python="${PYTHON:-python3}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check pytest==9.2.0 pytest-benchmark==5.3.1
mkdir -p "$scratch/project/tests" "$scratch/project/settings"
cd "$scratch/project"
printf '[pytest]\n' >settings/bench.ini
printf 'import pytest\n\n\n@pytest.fixture\ndef work():\n    return lambda: sum(range(10))\n' >conftest.py
printf 'def test_alone(benchmark):\n    benchmark(len, "a")\n\n\ndef test_with_fixture(benchmark, work):\n    benchmark(work)\n' >tests/test_speed.py

count() {
    "$scratch/venv/bin/pytest" -q -c settings/bench.ini --rootdir=. --benchmark-max-time=0.01 --benchmark-json="$1.json" "${@:2}" tests \
        >"$1.txt" 2>&1 || true
    "$scratch/venv/bin/python" -c "import json, sys; print(len(json.load(open(sys.argv[1]))['benchmarks']))" "$1.json"
}

alone=$(count alone)
bounded=$(count bounded --confcutdir=.)
echo "benchmarks in the JSON: $alone with -c, $bounded with -c and --confcutdir=."
[ "$alone" = 1 ] && [ "$bounded" = 2 ]
