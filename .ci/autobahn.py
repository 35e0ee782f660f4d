"""Run the fuzzing client of the Autobahn test suite against a WebSocket echo server of Atlas.

It needs ``wstest``, of the package autobahntestsuite for Python 2.7: its path is the argument. The reports are written
to ``build/autobahn/reports``. The exit status is 1 for a case that is not OK; cases that only inform are shown.

Groups 12 and 13 (compression) have 18 cases for each kind, with 1,000 messages in each. Without ``--all`` three of the
18 are run.
"""

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "autobahn"
sys.path.insert(0, str(ROOT))

GOOD = {"OK", "INFORMATIONAL"}
SHORT = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"]
KINDS = {12: 5, 13: 7}
COMPRESSED = [
    f"{group}.{kind + 1}.{case}" for group, kinds in KINDS.items() for kind in range(kinds) for case in (1, 8, 18)
]


async def echo(scope, receive, send):
    """Send back what comes."""
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send(event | {"type": "websocket.send"})


def run(wstest: str, cases: list[str]) -> dict:
    """Run the cases; return the report of each."""
    from atlas import Server

    FOLDER.mkdir(parents=True, exist_ok=True)
    server = Server(echo, port=0, lifespan="off", access_log=False, ws_max_size=0)
    with server.run_in_thread():
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        specification = {
            "options": {"failByDrop": False},
            "outdir": str(FOLDER / "reports"),
            "servers": [{"agent": "Atlas", "url": url}],
            "cases": cases,
            "exclude-cases": [],
            "exclude-agent-cases": {},
        }
        (FOLDER / "fuzzingclient.json").write_text(json.dumps(specification))
        command = [wstest, "-m", "fuzzingclient", "-s", str(FOLDER / "fuzzingclient.json")]
        with (FOLDER / "log").open("w") as log:
            subprocess.run(command, cwd=FOLDER, stdout=log, stderr=subprocess.STDOUT, check=True)
    return json.loads((FOLDER / "reports" / "index.json").read_text())["Atlas"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wstest", help="the program wstest")
    parser.add_argument("--all", action="store_true", help="every case of groups 12 and 13, too")
    parser.add_argument("--cases", nargs="*", help="these cases only, as 6.* 7.1.1")
    options = parser.parse_args()
    cases = options.cases or (["*"] if options.all else SHORT + COMPRESSED)
    report = run(options.wstest, cases)
    counts = Counter()
    for case, result in sorted(report.items(), key=lambda item: [int(part) for part in item[0].split(".")]):
        counts[result["behavior"], result["behaviorClose"]] += 1
        if {result["behavior"], result["behaviorClose"]} - {"OK"}:
            print(f"{case}: {result['behavior']}, close: {result['behaviorClose']}")
    for (behavior, close), count in counts.most_common():
        print(f"{count:4} {behavior}, close: {close}")
    return int(any({behavior, close} - GOOD for behavior, close in counts))


if __name__ == "__main__":
    sys.exit(main())
