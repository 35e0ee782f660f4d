"""Scoring servers by a public suite: reading its archive, and the verdict about one request."""

from __future__ import annotations

import io
import socket
import tarfile
import threading

import pytest

from bench.conformance import __main__ as command_line
from bench.conformance import corpus, score
from bench.conformance.corpus import Case
from bench.conformance.score import Answer

FILES = {
    "valid/001.http": rb"GET /a HTTP/1.1\r\n"
    b"\n"
    rb"Host: a\r\n"
    b"\n"
    rb"X: \x41\t\0\r\n"
    b"\n"
    rb"\r\n",
    "valid/001.py": b"request = {}",
    "valid/no_host.http": rb"GET / HTTP/1.1\r\nX: host\r\n\r\n",
    "valid/no_host_in_1_0.http": rb"GET / HTTP/1.0\r\n\r\n",
    "valid/set_up.http": rb"GET / HTTP/1.0\r\n\r\n",
    "valid/set_up.py": b"cfg.set('limit', 1)",
    "invalid/limit.http": rb"GET /long HTTP/1.1\r\nHost: a\r\n\r\n",
    "invalid/limit.py": b"from gunicorn.http.errors import LimitRequestLine",
    "invalid/001.http": rb"GET / HTTP/1.1\r\nHost a\r\n\r\n",
    "README": b"",
}


def test_the_cases_of_an_archive(tmp_path):
    archive = tmp_path / "suite.tar.gz"
    with tarfile.open(archive, "w:gz") as members:
        for name, data in FILES.items():
            member = tarfile.TarInfo(f"suite-1.0/{corpus.FOLDER}/{name}")
            member.size = len(data)
            members.addfile(member, io.BytesIO(data))
        members.addfile(tarfile.TarInfo("suite-1.0/setup.py"))
    cases = corpus.read(archive)
    assert [case.name for case in cases] == ["invalid/001", "valid/001", "valid/no_host_in_1_0"]
    assert cases[1].data == b"GET /a HTTP/1.1\r\nHost: a\r\nX: A\t\0\r\n\r\n"
    assert corpus.count(cases) == (2, 1)


def test_an_archive_that_is_not_the_expected_one_is_refused(tmp_path, monkeypatch):
    def download(words, **options):
        (tmp_path / f"{corpus.PACKAGE}-{corpus.VERSION}.tar.gz").write_bytes(b"another")
        return corpus.subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr(corpus.subprocess, "run", download)
    with pytest.raises(corpus.FetchFailed, match="expected the SHA-256"):
        corpus.fetch(tmp_path)


@pytest.mark.parametrize(
    ("answer", "accepted", "refused"),
    [
        (Answer((200,), False), True, False),
        (Answer((400,), False), False, True),
        (Answer((200, 400), True), True, True),
        (Answer((), True), False, True),
        (Answer((), False), False, False),
        (Answer((200,), True), True, False),
    ],
)
def test_a_verdict(answer, accepted, refused):
    assert answer.is_right(Case("valid/x", True, b"")) is accepted
    assert answer.is_right(Case("invalid/x", False, b"")) is refused


@pytest.mark.parametrize(
    ("case", "reply", "answer"),
    [
        (Case("valid/x", True, b"GET"), b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", "204 open"),
        (Case("invalid/x", False, b"GET"), b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 400 Bad Request\r\n\r\n", "200 400 open"),
        (Case("invalid/x", False, b"GET"), b"", "closed"),
    ],
)
def test_a_server_is_asked(case, reply, answer):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection:
                assert connection.recv(100) == case.data
                connection.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        assert str(score.ask(listener.getsockname()[1], case)) == answer
        thread.join()


def test_the_table():
    cases = [Case("valid/a", True, b""), Case("valid/b", True, b""), Case("invalid/c", False, b"")]
    answers = {"valid/a": Answer((200,), False), "valid/b": Answer((400,), True), "invalid/c": Answer((), True)}
    assert command_line.row("mine", cases, answers) == "| mine | 1 of 2 | 1 of 1 | 2 of 3 |"
    assert command_line.differences("mine", cases, answers) == ["mine: valid/b: 400 closed"]


def test_an_unknown_server_gets_a_hint(capsys):
    with pytest.raises(SystemExit):
        command_line.parse(["--servers", "apache"])
    assert "known are atlas" in capsys.readouterr().err
