"""The decision about a regression run, on made-up results of pytest-benchmark."""

from __future__ import annotations

import pytest

from bench.regression.verdict import Limit, Names, Outcome, compare, judge

LIMIT = Limit.parse("median:8%")
US = 1e-6


def rounds(**benchmarks):
    """The JSON of as many rounds as there are times for a benchmark: ``rounds(home=[1.0, 1.1])``, in microseconds."""
    count = max(len(times) for times in benchmarks.values())
    return [
        {
            "benchmarks": [
                {"fullname": f"bench/test_x.py::{name}", "stats": {"median": times[n] * US, "min": times[n] * US / 2}}
                for name, times in benchmarks.items()
                if n < len(times)
            ]
        }
        for n in range(count)
    ]


def full(*names):
    return [f"bench/test_x.py::{name}" for name in names]


def counts(**each):
    return {f"bench/test_x.py::{name}": count for name, count in each.items()}


def decide(base, tree, *, limit=LIMIT, names=None, counted=({}, {})):
    found = {each["fullname"] for document in (*base, *tree) for each in document["benchmarks"]}
    verdicts = judge(base, tree, limit, names or Names(found, found), counted)
    return {each.name.partition("::")[2]: each for each in verdicts}


def test_slower_with_more_instructions_fails_and_is_named():
    verdict = decide(
        rounds(home=[10, 10, 10]), rounds(home=[11, 11, 11]), counted=(counts(home=1000), counts(home=1050))
    )["home"]
    assert verdict.outcome is Outcome.SLOWER
    assert verdict.outcome.fails
    assert str(verdict) == (
        "bench/test_x.py::home: SLOWER, +10.0% time, +5.0% instructions (1,000 to 1,050)"
    )  # fmt: skip


@pytest.mark.parametrize("after", [1000, 1020, 700])
def test_slower_with_as_many_instructions_passes_with_a_remark(after):
    verdict = decide(rounds(home=[10]), rounds(home=[13]), counted=(counts(home=1000), counts(home=after)))["home"]
    assert verdict.outcome is Outcome.ONLY_TIME
    assert not verdict.outcome.fails
    assert "slower, with as many instructions as before, +30.0% time" in str(verdict)


def test_within_the_limit_passes_whatever_the_instructions_are():
    verdict = decide(rounds(home=[100]), rounds(home=[108]), counted=(counts(home=1000), counts(home=2000)))["home"]
    assert (verdict.outcome, verdict.instructions) == (Outcome.AS_BEFORE, None)


def test_faster_passes():
    verdict = decide(rounds(home=[10]), rounds(home=[8]))["home"]
    assert verdict.outcome is Outcome.FASTER
    assert not verdict.outcome.fails


def test_the_median_of_the_rounds_decides_and_each_round_is_compared_with_its_own():
    # The machine is twice as slow in the second round, for both; and disturbed in the third, for one of them.
    before, after = rounds(home=[10, 20, 10]), rounds(home=[10, 20, 30])
    (comparison,) = compare(before, after, LIMIT)
    assert comparison.ratio == pytest.approx(1.0)
    assert decide(before, after)["home"].outcome is Outcome.AS_BEFORE


def test_one_of_many_is_named_alone():
    found = decide(
        rounds(home=[10], user=[10]),
        rounds(home=[10], user=[20]),
        counted=(counts(user=100), counts(user=200)),
    )
    assert {name: each.outcome for name, each in found.items()} == {"home": Outcome.AS_BEFORE, "user": Outcome.SLOWER}


def test_a_benchmark_whose_instructions_were_not_counted_is_an_error():
    with pytest.raises(KeyError):
        decide(rounds(home=[10]), rounds(home=[20]))


def test_a_renamed_benchmark_fails_and_the_new_name_is_told():
    names = Names(full("test_home_page", "user"), full("test_home_pages", "user"))
    found = decide(
        rounds(test_home_pages=[1], user=[1]), rounds(test_home_pages=[1], user=[1]), names=names
    )  # the files of the working tree ran on both
    assert found["test_home_page"].outcome is Outcome.MISSING
    assert found["test_home_page"].outcome.fails
    assert "MISSING, renamed to bench/test_x.py::test_home_pages?" in str(found["test_home_page"])
    assert found["test_home_pages"].outcome is Outcome.AS_BEFORE


def test_a_removed_benchmark_fails():
    found = decide(rounds(user=[1]), rounds(user=[1]), names=Names(full("home", "user"), full("user")))
    assert "MISSING, removed, or renamed" in str(found["home"])


@pytest.mark.parametrize(
    ("pattern", "outcome"),
    [
        ("bench/test_x.py::home[a]", Outcome.ACCEPTED),
        ("bench/test_x.py::*", Outcome.ACCEPTED),
        ("bench/test_x.py::home", Outcome.MISSING),
    ],
)
def test_a_name_that_may_be_missing_is_given_by_a_pattern(pattern, outcome):
    names = Names(full("home[a]", "user"), full("user"), [pattern])
    assert decide(rounds(user=[1]), rounds(user=[1]), names=names)["home[a]"].outcome is outcome


def test_a_benchmark_that_was_skipped_or_failed_in_the_working_tree_fails_accepted_or_not():
    names = Names(full("home", "user"), full("home", "user"), ["*"])
    found = decide(rounds(home=[1], user=[1]), rounds(user=[1]), names=names)
    assert found["home"].outcome is Outcome.MISSING
    assert "not measured in the working tree" in str(found["home"])


def test_one_that_fails_in_one_round_only_is_missing():
    found = decide(rounds(home=[1, 1], user=[1, 1]), rounds(home=[1], user=[1, 1]))
    assert found["home"].outcome is Outcome.MISSING


def test_one_that_is_skipped_in_both_trees_fails():
    names = Names(full("home", "user"), full("home", "user"))
    assert decide(rounds(user=[1]), rounds(user=[1]), names=names)["home"].outcome is Outcome.MISSING


def test_one_that_the_base_has_and_cannot_run_fails():
    names = Names(full("home", "user"), full("home", "user"))
    found = decide(rounds(user=[1]), rounds(home=[1], user=[1]), names=names)
    assert "not measured in the base" in str(found["home"])
    assert found["home"].outcome.fails


def test_a_new_benchmark_that_the_base_cannot_run_passes_with_a_remark():
    names = Names(full("user"), full("home", "user"))
    found = decide(rounds(user=[1]), rounds(home=[1], user=[1]), names=names)
    assert found["home"].outcome is Outcome.NEW
    assert not found["home"].outcome.fails


@pytest.mark.parametrize(
    ("text", "base", "tree", "exceeded"),
    [
        ("median:50%", 10, 14.9, False),
        ("median:50%", 10, 15.1, True),
        ("median:0.000002", 10, 11.9, False),
        ("median:2e-6", 10, 12.1, True),
        ("min:8%", 10, 11, True),
    ],
)
def test_a_limit_is_a_percentage_or_seconds_of_a_statistic(text, base, tree, exceeded):
    limit = Limit.parse(text)
    (comparison,) = compare(rounds(home=[base]), rounds(home=[tree]), limit)
    assert comparison.exceeds(limit) is exceeded


@pytest.mark.parametrize("text", ["8%", "median", "median:", "median:8 %", "p99:8%", "median:-8%"])
def test_another_limit_is_refused(text):
    with pytest.raises(ValueError, match="expected STATISTIC:PERCENT%"):
        Limit.parse(text)


def test_a_limit_is_written_as_it_was_read():
    assert [str(Limit.parse(text)) for text in ("median:8%", "min:0.002")] == ["median:8%", "min:0.002"]
