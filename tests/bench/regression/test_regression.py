"""The command line, and one regression run from end to end."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.regression import __main__ as command_line
from bench.regression.verdict import Comparison, Outcome, Verdict

ROOT = Path(__file__).parents[3]
SKIPPED = shutil.ignore_patterns("__pycache__", "results")
PLACE = "values = self._values(request, context or {})\n"
OLD = "def test_old(benchmark):\n    benchmark(len, 'old')\n"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--benchmark-compare-fail", "8%"], "expected STATISTIC:PERCENT%"),
        (["--rounds", "0"], "expected 1 or more"),
    ],
)
def test_a_wrong_option_is_explained(arguments, hint, capsys):
    with pytest.raises(SystemExit):
        command_line.parse(arguments)
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([Outcome.AS_BEFORE, Outcome.FASTER, Outcome.ONLY_TIME, Outcome.NEW, Outcome.ACCEPTED], 0),
        ([Outcome.AS_BEFORE, Outcome.SLOWER], 1),
        ([Outcome.AS_BEFORE, Outcome.MISSING], 1),
        ([], 1),
    ],
)
def test_the_exit_status_and_what_is_kept(outcomes, status, tmp_path, capsys):
    times = Comparison("x", [1.0], [1.5])
    verdicts = [Verdict(f"bench/test_x.py::{each.name}", each, times, (10, 20)) for each in outcomes]
    assert command_line.report(verdicts, command_line.parse(["--out", str(tmp_path)])) == status
    assert ("FAILED" in capsys.readouterr().err) is (status == 1)
    kept = json.loads((tmp_path / "regression.json").read_text())
    assert [each["fails"] for each in kept["benchmarks"]] == [each.fails for each in outcomes]
    assert (tmp_path / "regression.svg").read_text().startswith("<svg")


def test_without_valgrind_nothing_is_measured(monkeypatch, capsys):
    monkeypatch.setattr(command_line.shutil, "which", lambda name: None)
    assert command_line.main([]) == 2
    assert "valgrind" in capsys.readouterr().err


def run(root, *arguments):
    words = [sys.executable, "-m", "bench.regression", "--built", "--base", "HEAD", "--rounds", "1", *arguments]
    return subprocess.run(words, cwd=root, capture_output=True, text=True)


@pytest.fixture
def repository(tmp_path):
    """A repository with this tree as its only commit, and a benchmark besides."""
    root = tmp_path / "repository"
    for name in ("atlas", "bench"):
        shutil.copytree(ROOT / name, root / name, ignore=SKIPPED)
    for name in ("setup.py", ".gitignore"):
        shutil.copy(ROOT / name, root / name)
    (root / "bench/test_old.py").write_text(OLD)
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "base"]):
        subprocess.run(
            ["git", "-c", "user.name=Test", "-c", "user.email=test@example.org", *words], cwd=root, check=True
        )
    return root


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")
def test_a_slower_and_a_renamed_benchmark_are_found(repository):
    templates = repository / "atlas/web/templates/templates.py"
    text = templates.read_text()
    slower = text.replace(PLACE, f"sum(range(10_000)); {PLACE}")
    assert slower != text
    templates.write_text(slower)
    (repository / "bench/test_old.py").rename(repository / "bench/test_renamed.py")

    only = ["--only", "old or renamed or (test_a_page and block) or (hundred and first)", "--seconds", "0.02"]
    # Three times as slow: the limit is far below that.
    found = run(repository, *only, "--benchmark-compare-fail", "min:60%")
    assert found.returncode == 1, found.stdout + found.stderr
    assert "bench/test_templates.py::test_a_page[block]: SLOWER, +" in found.stdout
    assert "bench/test_old.py::test_old: MISSING, renamed to" in found.stdout
    assert "FAILED: 2 of 4 benchmarks" in found.stderr

    kept = sorted(path.name for path in (repository / "bench/results/regression").iterdir())
    assert kept == [
        "base-1.json", "base-1.log", "regression.json", "regression.svg", "tree-1.json", "tree-1.log",
    ]  # fmt: skip
    listed = subprocess.run(["git", "worktree", "list"], cwd=repository, capture_output=True, text=True)
    assert len(listed.stdout.splitlines()) == 1
