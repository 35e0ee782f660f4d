#!/usr/bin/env bash
# pytest-benchmark 5.3.1 with pytest-xdist 3.8.0 (pytest 9.2.0): a test that runs pytest in a subprocess, to measure
# something there, works alone and fails under `-n`. The subprocess is no worker of xdist, and does not load xdist: it
# inherits PYTEST_XDIST_WORKER, which pytest-benchmark takes for being a worker. It disables benchmarks, and with
# --benchmark-only it ends with status 4 (usage error). Without that option, it measures nothing and ends with 0.
# Seen on CPython 3.11.7: status 0 with -n 0, 4 with -n 2.
set -euo pipefail
python="${PYTHON:-python3}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" -m venv "$scratch/venv"
cat >"$scratch/bench.py" <<'CODE'
def test_length(benchmark):
    benchmark(len, "abc")
CODE
cat >"$scratch/test_outer.py" <<'CODE'
import subprocess
import sys


def test_measure():
    words = [sys.executable, "-m", "pytest", "-q", "bench.py", "-p", "no:xdist", "--benchmark-only"]
    done = subprocess.run(words, capture_output=True, text=True)
    with open("status", "w") as file:
        file.write(str(done.returncode))
CODE
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check \
    pytest==9.2.0 pytest-xdist==3.8.0 pytest-benchmark==5.3.1
seen=""
for workers in 0 2; do
    (cd "$scratch" && env -u PYTEST_XDIST_WORKER "$scratch/venv/bin/python" -m pytest -q -n "$workers" test_outer.py \
        >"$scratch/log" 2>&1) || { cat "$scratch/log"; exit 2; }
    echo "-n $workers: the inner pytest ended with $(cat "$scratch/status")"
    seen+="$(cat "$scratch/status") "
done
[ "$seen" = "0 4 " ]
