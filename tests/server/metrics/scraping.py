"""A client of the endpoint, on a Unix socket."""

from __future__ import annotations

import socket
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

PATIENCE = 30.0


def get(path: Path, target: str = "/metrics", *fields: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
    """Return status, header fields and body."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(str(path))
        lines = [f"{method} {target} HTTP/1.1", "Host: a", "Connection: close", *fields, "", ""]
        client.sendall("\r\n".join(lines).encode())
        head, _, body = client.makefile("rb").read().decode().partition("\r\n\r\n")
    first, *rest = head.split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in rest), body


def scrape(path: Path) -> dict[str, float]:
    """Return the values by name and labels: ``atlas_connections{state=idle}``."""
    status, _, body = get(path)
    assert status == 200
    found = {}
    for family in text_string_to_metric_families(body):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sample.labels.items())
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found
