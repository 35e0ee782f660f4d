import asyncio
import json
from pathlib import Path

import pytest

from bench import in_process


def test_what_is_there_is_measured_and_the_rest_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> in_process.App:
        raise ImportError("No module named 'missing'")

    def wrong() -> in_process.App:
        async def app(scope: object, receive: object, send: in_process.Any) -> None:
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b"no"})

        return app

    makers = {"bare": in_process.bare, "atlas": in_process.atlas, "missing": missing, "wrong": wrong}
    monkeypatch.setattr(in_process, "FRAMEWORKS", makers)
    best = asyncio.run(in_process.measure(rounds=1, count=2))
    assert set(best) == {"bare", "atlas"}
    assert all(figure > 0 for figure in best.values())
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "! missing is left out: No module named 'missing'",
        "! wrong is left out: it answered 404 b'no' of type ''",
    ]


@pytest.mark.parametrize("name", [name for name in in_process.FRAMEWORKS if name != "bare"])
def test_every_framework_gives_the_right_answer(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip(name)
    assert asyncio.run(in_process.started(name, in_process.FRAMEWORKS[name])) is not None, capsys.readouterr().out


def test_the_table_says_whether_the_goal_was_met() -> None:
    lines = in_process.table({"bare": 0.5, "starlette": 50.5, "atlas": 3.0}).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["bare", "0.50", "0.00"],
        ["atlas", "3.00", "2.50", "1.0"],
        ["starlette", "50.50", "50.00", "20.0"],
        ["goal:", "at", "most", "3", "us:", "reached"],
    ]
    assert "NOT reached" in in_process.table({"bare": 0.5, "atlas": 3.1})


def test_the_figures_are_kept(tmp_path: Path) -> None:
    in_process.save(tmp_path / "new" / in_process.FILE, {"bare": 0.5, "atlas": 2.5})
    document = json.loads((tmp_path / "new" / in_process.FILE).read_text())
    assert document["microseconds"] == {"bare": 0.5, "atlas": 2.5}
    assert document["goal"] == in_process.GOAL
