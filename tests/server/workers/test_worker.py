"""What a worker process is told by its parent; tests/server/workers/test_supervisor.py runs workers."""

from atlas.server.configuration.settings import Settings
from atlas.server.workers.worker import WorkerTask


def test_a_task_survives_its_way_to_the_worker() -> None:
    settings = Settings(
        workers=4,
        headers=["X-A: 1"],  # type: ignore[arg-type]
        ssl_certificates=["a.test=a.pem,a.key", "b.test=b.pem"],  # type: ignore[arg-type]
        forwarded_allow_ips="10.0.0.0/8,unix",  # type: ignore[arg-type]
        timeout_drain=0.5,
        limit_concurrency=3,
    )
    task = WorkerTask("main:app", settings, sockets=(3, 4), table=5, size=8, index=7)
    line = task.encode()
    assert line.count(b"\n") == 1
    assert WorkerTask.decode(line) == task
    assert task.descriptors == (3, 4, 5)
