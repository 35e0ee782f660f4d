"""The command of a worker process, which only Atlas runs; tests/server/workers/test_supervisor.py starts it."""

from tests.cli.conftest import Run


def test_it_is_not_listed(run: Run) -> None:
    status, out, _ = run("--help")
    assert status == 0
    assert "worker" not in out


def test_it_needs_a_socket(run: Run) -> None:
    status, _, err = run("worker", "none")
    assert status == 2
    assert "is not a valid integer" in err
