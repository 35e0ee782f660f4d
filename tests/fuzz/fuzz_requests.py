"""Fuzz the compiled protocol, guided by the coverage of its compiled modules.

``python tests/fuzz/fuzz_requests.py --seconds 60`` takes atheris (libFuzzer) if it is installed, else a mutator of our
own. ``--sanitize`` compiles with AddressSanitizer. Inputs that reached something new are kept in ``build/fuzz/found``;
an input that breaks a promise is written there as ``crash-*`` and ends the run with a status other than 0.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import importlib.util
import logging
import os
import sys
from pathlib import Path
from typing import Any

if not __package__:
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.fuzz import instrument, mutation

FOUND = instrument.FOLDER / "found"
TARGETS = {"requests": "corpus", "websocket": "corpus_websocket"}
MARK = "ATLAS_FUZZ_SANITIZED"


def sanitized_again(options: argparse.Namespace) -> None:
    """Start this program anew with AddressSanitizer loaded first, unless that has happened."""
    if MARK in os.environ:
        return
    libraries = instrument.sanitizer()
    if libraries is None:
        sys.exit("Error: there is no AddressSanitizer here: install it, as by: apt-get install libasan8")
    instrument.build(sanitize=True)
    os.environ |= {MARK: "1", "LD_PRELOAD": libraries, "PYTHONMALLOC": "malloc"}
    os.environ["ASAN_OPTIONS"] = "detect_leaks=0:allocator_may_return_null=1:handle_segv=0"
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "tests.fuzz", *sys.argv[1:]])


def corpus(options: argparse.Namespace) -> Path:
    """The folder of the first inputs."""
    return Path(__file__).with_name(TARGETS[options.target])


def found(options: argparse.Namespace) -> Path:
    """The folder for inputs that have reached something new."""
    return FOUND / str(options.target)


def quoted(piece: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in piece)


def with_atheris(run: Any, counters: instrument.Counters, options: argparse.Namespace) -> None:
    import atheris
    from atheris import core_with_libfuzzer

    counters.give_to(ctypes.CDLL(core_with_libfuzzer.__file__))
    words = FOUND.with_name("words.dict")
    words.write_text("".join(f'"{quoted(piece)}"\n' for piece in mutation.PIECES))
    arguments = [
        sys.argv[0],
        f"-dict={words}",
        str(found(options)),
        str(corpus(options)),
        f"-max_total_time={options.seconds}",
        "-max_len=4096",
    ]
    arguments += ["-timeout=10", "-rss_limit_mb=4096", f"-artifact_prefix={found(options)}/", "-print_final_stats=1"]
    arguments += [f"-seed={options.seed}"] if options.seed else []
    atheris.Setup(arguments, run)
    atheris.Fuzz()


def with_our_own(run: Any, counters: instrument.Counters, options: argparse.Namespace) -> None:
    def guarded(data: bytes) -> None:
        try:
            run(data)
        except BaseException:
            (found(options) / f"crash-{hashlib.sha1(data).hexdigest()}").write_bytes(data)
            raise

    seeds = [path.read_bytes() for path in sorted(corpus(options).iterdir())]
    for data in mutation.fuzz(guarded, counters.cells, seeds, options.seconds, options.seed):
        (found(options) / hashlib.sha1(data).hexdigest()).write_bytes(data)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sanitize", action="store_true", help="compile with AddressSanitizer")
    parser.add_argument("--own", action="store_true", help="our own mutator, also where atheris is installed")
    parser.add_argument("--target", choices=TARGETS, default="requests", help="what is fuzzed")
    options = parser.parse_args()
    if options.sanitize:
        sanitized_again(options)
    folder = instrument.build(sanitize=options.sanitize)
    found(options).mkdir(parents=True, exist_ok=True)
    counters = instrument.Counters(folder)
    sys.path.insert(0, str(folder))
    logging.disable(logging.CRITICAL)

    if options.target == "websocket":
        from tests.fuzz.websocket_target import Bench
    else:
        from tests.fuzz.target import Bench  # type: ignore[assignment]

    bench = Bench()
    own = options.own or importlib.util.find_spec("atheris") is None
    fuzzer = with_our_own if own else with_atheris
    fuzzer(bench.run, counters, options)
    bench.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
