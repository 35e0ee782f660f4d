"""Counting instructions: the two ends of the pipes."""

from __future__ import annotations

import io

from bench.regression import counting, pytest_runs


class Callgrind:
    """Its remote control; each dump has the next of some totals."""

    def __init__(self, folder, totals):
        self.words, self.folder, self.totals = [], folder, list(totals)

    def tell(self, *words):
        self.words += words

    def dump(self):
        path = self.folder / "dump"
        path.write_text(f"totals: {self.totals.pop(0)}\n")
        return path


def test_what_does_not_belong_to_a_call_cancels_out(tmp_path, monkeypatch):
    called, said = [], []
    monkeypatch.setenv("BENCH_COUNTING", "0,1,100")
    monkeypatch.setattr(counting.InstructionCounter, "_say", lambda _, line: said.append(line))
    counter = counting.InstructionCounter("bench/test_x.py::home[a b]")
    assert counter(lambda number, add: called.append(number) or len(called) + add, 7, add=1) == len(called) + 1
    assert len(called) == counting.WARM_UP + 10 + 100 + 200

    own, each = 5000, 321
    callgrind = Callgrind(tmp_path, [own + 10 * each, own + 100 * each, own + 200 * each])
    replies = io.BytesIO()
    assert pytest_runs.follow(callgrind, [f"{line}\n" for line in said], replies, 100) == {counter.name: each}
    assert callgrind.words == ["--instr=on", "--instr=off"]
    assert len(replies.getvalue()) == len(said)
    assert not list(tmp_path.iterdir())


def test_a_pytest_around_the_run_decides_nothing_within(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--benchmark-disable")
    environment = pytest_runs.Tree("tree", tmp_path, tmp_path).environment()
    assert [name for name in environment if name.startswith("PYTEST_")] == ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]


def test_each_run_is_told_which_tree_is_measured(tmp_path):
    tree = pytest_runs.Tree("tree", tmp_path / "tree", tmp_path / "files", "native and text")
    assert tree.environment()["PYTHONPATH"].split(":") == [str(tmp_path / "files"), str(tmp_path / "tree")]
    assert tree.environment(PYTHONHASHSEED="3")["PYTHONHASHSEED"] == "3"
    words = tree.command(names=["a", "b"])
    assert words[3:5] == ["a", "b"]
    assert words[words.index("-k") + 1] == "native and text"
