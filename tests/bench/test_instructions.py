"""Counting instructions: the arithmetic, the verdict and the store."""

from __future__ import annotations

import pytest

from bench import instructions

DUMP = """# callgrind format
version: 1
creator: callgrind-3.19.0
pid: 4711
cmd: python -m atlas serve
part: 2
desc: I1 cache:
positions: line
events: Ir
summary: 5242880

fn=(1) some_function
12 40
totals: 5242880
"""


def test_the_total_of_a_dump():
    assert instructions.parse_total(DUMP) == 5242880
    assert instructions.parse_total("fn=(1) x\n1 2\ntotals: 77\n") == 77


def test_a_dump_without_total_is_an_error():
    with pytest.raises(instructions.NoCount):
        instructions.parse_total("version: 1\n")


def test_what_does_not_belong_to_a_request_cancels_out():
    start, each = 123_456, 20_000
    assert instructions.per_request(start + 200 * each, start + 400 * each, 200) == each


@pytest.mark.parametrize(
    ("count", "words", "grew"),
    [
        (10_000, "+0.0%, as before", False),
        (10_199, "+2.0%, as before", False),
        (10_201, "+2.0%, GREW", True),
        (9_500, "-5.0%, less: store it with --update", False),
    ],
)
def test_growth_beyond_the_tolerance_is_told(count, words, grew):
    lines, verdict = instructions.judge({"hello": count}, {"hello": 10_000}, 0.02)
    assert words in lines[0]
    assert verdict is grew


def test_a_count_without_a_stored_one_is_no_growth():
    lines, grew = instructions.judge({"hello": 10}, {}, 0.02)
    assert "nothing stored" in lines[0]
    assert not grew


def test_one_of_many_that_grew_is_enough():
    stored = {"hello": 100, "browser": 100}
    assert instructions.judge({"hello": 90, "browser": 110}, stored, 0.02)[1]


def test_the_store_keeps_what_was_not_measured(monkeypatch, tmp_path):
    monkeypatch.setattr(instructions, "STORE", tmp_path / "instructions.json")
    assert instructions.read_store() == {}
    instructions.write_store({"hello": 1, "browser": 2})
    instructions.write_store({"hello": 3})
    assert instructions.read_store() == {instructions.platform_key(): {"hello": 3, "browser": 2}}


def test_folders_are_left_out_of_a_listing():
    line = (
        "9,671 (22.40%)  /build/Python-3.11.7/Python/ceval.c:_PyEval_EvalFrameDefault'2 [/usr/lib/libpython3.11.so.1.0]"
    )
    assert instructions.shorten(line) == "9,671 (22.40%)  ceval.c:_PyEval_EvalFrameDefault'2 [libpython3.11.so.1.0]"
    assert (
        instructions.shorten("1,600 ( 3.85%)  ???:malloc [/lib/libc.so.6]") == "1,600 ( 3.85%)  ???:malloc [libc.so.6]"
    )


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--server", "apache"], "no server 'apache'"),
        (["--only", "helo"], "did you mean 'hello'?"),
        (["--only", "hello", "--server", "falcon"], "no server 'falcon'"),
    ],
)
def test_an_unknown_server_or_count_is_refused(arguments, hint, capsys):
    with pytest.raises(SystemExit):
        instructions.parse(arguments)
    assert hint in capsys.readouterr().err


def test_everything_is_counted_unless_some_are_named():
    assert len(instructions.parse([]).cases) == len(instructions.CASES) == 8
    chosen = instructions.parse(["--only", "web-user,hello"]).cases
    assert [case.name for case in chosen] == ["hello", "web-user"]


def test_another_server_is_asked_what_it_has_a_part_in_and_nothing_twice():
    assert [case.name for case in instructions.select([], "granian")] == ["hello", "browser"]
    starlette = instructions.select([], "starlette")
    assert [case.name for case in starlette] == ["web-text", "web-user", "web-page", "web-order", "web-five"]
    assert {case.find_server().name for case in starlette} == {"starlette"}


def test_cases_keep_their_order_whichever_is_ready_first(monkeypatch, tmp_path):
    figures = {"hello": 1, "browser": 2, "web-user": 3}
    monkeypatch.setattr(instructions, "count", lambda case, directory, requests: (figures[case.name], directory))
    cases = instructions.select(["web-user", "browser", "hello"])
    assert list(instructions.count_all(cases, tmp_path, 1, 0).items()) == list(figures.items())
