from pathlib import Path
from typing import Any

import jinja2
import pytest

from atlas.web.errors.tracebacks import Frame, Raised, examine


def fail(depth: int, password: str = "hush") -> None:
    lake = "Ness"
    if depth:
        fail(depth - 1)
    else:
        {"Baikal": 1}[lake]


def caught(function: Any, *arguments: Any) -> list[Raised]:
    with pytest.raises(Exception) as info:  # of any class
        function(*arguments)
    return examine(info.value)


def own(raised: Raised) -> list[Frame]:
    return [frame for frame in raised.frames if frame.function == "fail"]


def test_an_exception() -> None:
    (raised,) = caught(fail, 1)
    assert (raised.kind, raised.message, raised.link, raised.left_out) == ("KeyError", "'Ness'", "", 0)
    assert raised.trace.endswith("KeyError: 'Ness'\n")
    last, before = own(raised)
    assert dict(last.values)["lake"] == "'Ness'"
    assert dict(last.values)["depth"] == "0"
    assert dict(before.values)["depth"] == "1"
    assert last.kind == "own"
    assert last.of_interest
    assert last.place.endswith("tests/web/errors/test_tracebacks.py")


def test_secrets_are_masked() -> None:
    (raised,) = caught(fail, 0)
    assert "hush" not in dict(own(raised)[0].values)["password"]


def test_the_current_line_and_its_mark() -> None:
    (raised,) = caught(fail, 0)
    (line,) = [line for line in own(raised)[0].source if line.current]
    assert line.number == own(raised)[0].number
    assert line.text.strip() == '{"Baikal": 1}[lake]'
    assert line.mark is None  # it is the whole line


def part() -> int:
    return 1 + int("ü") + 2


def test_an_expression_is_marked() -> None:
    (raised,) = caught(part)
    (line,) = [line for line in raised.frames[0].source if line.current]
    assert line.mark is not None
    assert line.text[slice(*line.mark)] == 'int("ü")'


def because() -> None:
    try:
        fail(0)
    except KeyError as error:
        raise ValueError("why") from error


def meanwhile() -> None:
    try:
        fail(0)
    except KeyError:
        raise ValueError("why")  # noqa: B904  # that it has no cause is the point


def alone() -> None:
    try:
        fail(0)
    except KeyError:
        raise ValueError("why") from None


@pytest.mark.parametrize(("function", "links"), [(because, ["", "cause"]), (meanwhile, ["", "context"]), (alone, [""])])
def test_causes_and_contexts(function: Any, links: list[str]) -> None:
    assert [each.link for each in caught(function)] == links


def test_a_group() -> None:
    group = ExceptionGroup("two", [ValueError("1"), KeyError("2")])
    group.__cause__ = TypeError("3")
    found = [(each.kind, each.link) for each in examine(group)]
    assert found == [("ExceptionGroup", ""), ("ValueError", "member"), ("KeyError", "member"), ("TypeError", "cause")]


def test_an_endless_recursion_is_cut() -> None:
    def forever() -> None:
        forever()

    (raised,) = caught(forever)
    assert len(raised.frames) == 60
    assert raised.left_out > 100


def test_a_circular_chain() -> None:
    first, second = ValueError("1"), ValueError("2")
    first.__cause__, second.__cause__ = second, first
    assert [each.message for each in examine(first)] == ["1", "2"]


def test_notes_and_a_message_that_raises() -> None:
    class Evil(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    error = Evil()
    error.add_note("password='hush'")
    (raised,) = examine(error)
    assert raised.message == "(its message cannot be shown: __str__ raised RuntimeError)"
    assert raised.frames == ()
    assert "hush" not in raised.notes[0]


def test_frames_of_libraries() -> None:
    import json

    (raised,) = caught(json.loads, "{")
    assert {frame.kind for frame in raised.frames if "json" in frame.place} == {"library"}
    assert not raised.frames[0].of_interest
    assert raised.kind == "json.decoder.JSONDecodeError"


def test_the_line_of_a_template(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<p>\n{% for lake in lakes %}\n{{ lake.depth + 1 }}\n{% endfor %}")
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(tmp_path), autoescape=True)
    (raised,) = caught(environment.get_template("page.html").render, {"lakes": [{"depth": "deep"}], "f": len})
    frame = next(frame for frame in raised.frames if frame.kind == "template")
    assert (frame.number, frame.of_interest, frame.function) == (3, True, "")
    assert [line.text for line in frame.source if line.current] == ["{{ lake.depth + 1 }}"]
    assert dict(frame.values)["lake"] == "{'depth': 'deep'}"
    assert "f" not in dict(frame.values)


def test_a_missing_source() -> None:
    def run() -> None:
        exec(compile("1 / 0", "<typed>", "exec"), {})

    (raised,) = caught(run)
    assert (raised.frames[0].place, raised.frames[0].source) == ("<typed>", ())
