"""What wrk prints, read back; and what it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.side_by_side import load
from bench.side_by_side.scenarios import select

WRK = """Running 3s test @ http://127.0.0.1:4173/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.19ms  123.42us   6.31ms   92.11%
    Req/Sec    53.71k     2.04k   55.40k    90.32%
  Latency Distribution
     50%    1.17ms
     75%    1.21ms
     90%    1.26ms
     99%    {p99}
  165694 requests in {time}, 21.81MB read
Requests/sec:  53443.87
Transfer/sec:      7.03MB
"""


def test_totals_and_percentile_are_read():
    seen = load.parse(WRK.format(p99="1.62ms", time="3.10s"))
    assert (seen.requests, seen.seconds, seen.errors) == (165694, 3.10, 0)
    assert (seen.p50, seen.p99) == (pytest.approx(0.00117), pytest.approx(0.00162))


@pytest.mark.parametrize(
    ("p99", "seconds"), [("912.00us", 0.000912), ("3.00s", 3.0), ("1.50m", 90.0), ("12.31ms", 0.01231)]
)
def test_every_unit_of_wrk_is_known(p99, seconds):
    assert load.parse(WRK.format(p99=p99, time="3.00s")).p99 == pytest.approx(seconds)


def test_the_time_may_be_in_minutes():
    assert load.parse(WRK.format(p99="1.00ms", time="1.50m")).seconds == pytest.approx(90)


def test_the_latency_of_pipelined_requests_is_not_known_whatever_wrk_prints():
    seen = load.parse(WRK.format(p99="0.00us", time="3.00s"), depth=16)
    assert (seen.p50, seen.p99) == (None, None)
    assert load.parse(WRK.format(p99="43.4ms", time="3.00s"), depth=16).p99 is None


def test_errors_of_both_kinds_are_added_up():
    output = WRK.format(p99="1.00ms", time="3.00s")
    output += "  Socket errors: connect 1, read 20, write 300, timeout 4000\n  Non-2xx or 3xx responses: 50000\n"
    assert load.parse(output).errors == 54321


def test_output_without_totals_is_an_error_that_quotes_it():
    with pytest.raises(load.LoadFailed, match="unable to connect"):
        load.parse("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_a_bare_get_needs_no_script():
    (hello,) = select(["hello"])
    words = load.command(hello, 4173, 3)
    assert words[0] == "wrk"
    assert words[-1] == "http://127.0.0.1:4173/"
    assert "--script" not in words
    assert "--header" not in words


def test_the_browsers_headers_are_given_as_they_are():
    (browser,) = select(["browser"])
    words = load.command(browser, 4173, 3)
    assert words.count("--header") == 12, "the thirteenth, Host, is wrk's own"
    assert "Sec-Fetch-Mode: navigate" in words


def test_pipelining_and_bodies_take_the_scripts_with_their_arguments():
    pipelined, post = select(["pipelined", "post"])
    assert load.command(pipelined, 4173, 3)[-3:] == ["http://127.0.0.1:4173/", "--", "16"]
    assert load.command(post, 4173, 3)[-5:] == ["http://127.0.0.1:4173/", "--", "POST", "x", "1024"]
    for scenario in (pipelined, post):
        words = load.command(scenario, 4173, 3)
        assert Path(words[words.index("--script") + 1]).is_file()


def test_a_body_of_one_letter_is_told_by_its_length_and_any_other_as_it_is():
    assert load.repeated(b"x" * 1024) == ("x", "1024")
    assert load.repeated(b'{"a":1}') == ('{"a":1}', "1")
    assert load.repeated(b"") == ("", "1")


def test_every_latency_is_kept_where_the_script_prints_them():
    output = WRK.format(p99="1.62ms", time="3.00s")
    assert load.parse(output).latencies is None
    seen = load.parse(output + "latency 950 3\nlatency 1100 1\n").latencies
    assert seen is not None
    assert seen.counts == {950: 3, 1100: 1}
