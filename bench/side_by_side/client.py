"""One request over a blocking socket: to check a response before the measurement, and to hold a connection open."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import BinaryIO

from bench.side_by_side.scenarios import Scenario

HOST = "127.0.0.1"


class WrongAnswer(Exception):
    """The response is not the one that the scenario expects."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as a client sees it; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def request_bytes(scenario: Scenario, port: int) -> bytes:
    """The request of a scenario, as wrk sends it."""
    fields = [("Host", f"{HOST}:{port}"), *scenario.headers]
    if scenario.body:
        fields.append(("Content-Length", str(len(scenario.body))))
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"{scenario.method} {scenario.path} HTTP/1.1\r\n{lines}\r\n".encode("ascii") + scenario.body


def read_answer(stream: BinaryIO) -> Answer:
    """Read one response. Raises WrongAnswer if the stream ends before it does or it is not HTTP."""
    status_line = _line(stream)
    parts = status_line.split(" ", 2)
    if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or not parts[1].isdigit():
        raise WrongAnswer(f"not a status line: {status_line!r}")
    headers: dict[str, str] = {}
    while line := _line(stream):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Answer(int(parts[1]), headers, _body(stream, headers))


def _line(stream: BinaryIO) -> str:
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise WrongAnswer(f"the connection closed inside a line: {line!r}")
    return line.rstrip(b"\r\n").decode("latin-1")


def _body(stream: BinaryIO, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _chunks(stream)
    if "content-length" in headers:
        return _exactly(stream, int(headers["content-length"]))
    return stream.read()


def _chunks(stream: BinaryIO) -> bytes:
    pieces = []
    while size := int(_line(stream), 16):
        pieces.append(_exactly(stream, size))
        _line(stream)
    while _line(stream):
        pass
    return b"".join(pieces)


def _exactly(stream: BinaryIO, length: int) -> bytes:
    body = stream.read(length)
    if len(body) != length:
        raise WrongAnswer(f"the body ended after {len(body)} of {length} bytes")
    return body


def check(scenario: Scenario, port: int, *, body_length_only: bool = False) -> None:
    """Send one request, as wrk will, and raise WrongAnswer unless every answer is the right one.

    ``body_length_only`` is for the floor, which sends the right number of bytes without their content.
    """
    with socket.create_connection((HOST, port), timeout=10) as connection, connection.makefile("rb") as stream:
        connection.sendall(request_bytes(scenario, port) * scenario.depth)
        for _ in range(scenario.depth):
            answer = read_answer(stream)
            if answer.status != 200:
                raise WrongAnswer(f"status {answer.status} instead of 200")
            if body_length_only:
                right = len(answer.body) == len(scenario.answer)
            else:
                _check_type(scenario, answer)
                right = scenario.is_right(answer.body)
            if not right:
                raise WrongAnswer(f"the body is {answer.body[:60]!r} ({len(answer.body)} bytes)")


def _check_type(scenario: Scenario, answer: Answer) -> None:
    content_type = answer.headers.get("content-type", "")
    if scenario.content_type and content_type.partition(";")[0].strip().lower() != scenario.content_type:
        raise WrongAnswer(f"the content type is {content_type!r} instead of {scenario.content_type!r}")
