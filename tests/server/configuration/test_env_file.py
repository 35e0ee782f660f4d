"""The file of KEY=VALUE lines."""

from pathlib import Path

import pytest

from atlas.errors import StartupError
from atlas.server.configuration import env_file


@pytest.mark.parametrize(
    ("line", "pair"),
    [
        ("A=1", {"A": "1"}),
        ("export A=1", {"A": "1"}),
        ("  A = 1  ", {"A": "1"}),
        ("A=", {"A": ""}),
        ("A= # nothing", {"A": ""}),
        ("A=a b # comment", {"A": "a b"}),
        ("A=a#b", {"A": "a#b"}),
        ("A=#fff", {"A": "#fff"}),
        ("A='a \\n $B'  # comment", {"A": "a \\n $B"}),
        ('A="a\\nb \\"c\\" \\\\ \\$"', {"A": 'a\nb "c" \\ $'}),
        ("A=postgres://u:p@h/d?x=y", {"A": "postgres://u:p@h/d?x=y"}),
        ("# comment", {}),
        ("", {}),
        ("\ufeffA=1", {"A": "1"}),
        ("A=1\nB=2\nA=3", {"A": "3", "B": "2"}),
        (
            'A="-----BEGIN KEY-----\nabc=\n-----END KEY-----" # key\nB=2',
            {"A": "-----BEGIN KEY-----\nabc=\n-----END KEY-----", "B": "2"},
        ),
        ("A='one\n#two'\nB=2", {"A": "one\n#two", "B": "2"}),
        ("A='it\\'s'", {"A": "it's"}),
        ("A=\nB=2", {"A": "", "B": "2"}),
        ("U=me\nA=pg://${U}@db/x", {"U": "me", "A": "pg://me@db/x"}),
        ("U=me\nA='${U}' # as in python-dotenv", {"U": "me", "A": "me"}),
        ('U=me\nA="${U} \\${U} $U"', {"U": "me", "A": "me ${U} $U"}),
        ("A=${NONE}x${NONE:-y}", {"A": "xy"}),
        ("U=file\nA=${PROCESS} ${U}", {"U": "file", "A": "process file"}),
        ("PROCESS=file\nA=${PROCESS}", {"PROCESS": "file", "A": "process"}),
    ],
)
def test_reads(tmp_path: Path, line: str, pair: dict[str, str]) -> None:
    path = tmp_path / ".env"
    path.write_text(line, encoding="utf-8")
    assert env_file.read(str(path), {"PROCESS": "process"}) == pair


@pytest.mark.parametrize("line", ["A", "=1", "1A=1", "A='x", 'A="x" y', "A B=1"])
def test_a_wrong_line_is_named_but_not_shown(tmp_path: Path, line: str) -> None:
    path = tmp_path / ".env"
    path.write_text(f"OK=1\n{line}")
    with pytest.raises(StartupError, match=r"^--env-file .*\.env:2: expected KEY=VALUE$"):
        env_file.read(str(path), {})


def test_what_is_set_already_stays(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=file\nB=file")
    environ = {"A": "process"}
    env_file.load(str(path), environ)
    assert environ == {"A": "process", "B": "file"}


def test_a_missing_or_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="--env-file .*nowhere: cannot be read: No such file"):
        env_file.load(str(tmp_path / "nowhere"), {})
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(StartupError, match="it is not UTF-8"):
        env_file.load(str(tmp_path / "binary"), {})


def test_a_nul_character_is_an_error_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\nB=secret\0\n")
    with pytest.raises(StartupError, match=r"^--env-file .*\.env:2: expected text, got a NUL character$"):
        env_file.read(str(file), {})
