import asyncio

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
        "! wrong is left out: it answered 404 b'no'",
    ]
