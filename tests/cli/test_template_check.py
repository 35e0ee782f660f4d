from pathlib import Path

import pytest

from atlas import Application, Request, Route
from atlas.cli.template_check import check_templates


def show(request: Request, lake: str) -> str:
    return lake


def check(folder: Path, **files: str) -> list[str]:
    for name, text in files.items():
        (folder / f"{name}.html").write_text(text)
    app = Application([Route("/lakes/{lake}", show, name="lake")], config={"template_dirs": [str(folder)]})
    return list(check_templates(app))


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "{% extends 'other.html' %}",
        "{% include 'nowhere.html' ignore missing %}",
        "{% include [a, b] %}{% extends parent %}",
        "{{ url_for('lake', lake='Ness') }}{{ url_for('lake') }}{{ url_for(name) }}",
        "{{ anything | upper }}",
    ],
)
def test_good_ones(tmp_path: Path, text: str) -> None:
    assert check(tmp_path, page=text, other="") == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{{ a }", "page.html:1: unexpected '}'"),
        ("\n{{ a | uper }}", "page.html:2: no filter is named 'uper': did you mean 'upper'?"),
        ("{% extends 'othr.html' %}", "page.html:1: there is no template 'othr.html': did you mean 'other.html'?"),
        ("\n{% from 'x.html' import y %}", "page.html:2: there is no template 'x.html'"),
        ("{% if a %}\n{{ a | uper }}{% endif %}", "page.html:2: no filter is named 'uper': did you mean 'upper'?"),
        ("{{ a if a is definde }}", "page.html:1: no test is named 'definde': did you mean 'defined'?"),
        ("{% block a %}{% endblock %}\n{% block a %}{% endblock %}", "page.html:2: block 'a' defined twice"),
        ("{% from 'other.html' import feild %}", "page.html:1: template 'other.html' does not define 'feild'"),
        ("{% if a %}{{ url_for('lak') }}{% endif %}", "page.html:1: url_for: no route is named 'lak'"),
    ],
)  # fmt: skip
def test_wrong_ones(tmp_path: Path, text: str, line: str) -> None:
    (found,) = check(tmp_path, page=text, other="")
    assert found.startswith(line)


def test_every_mistake_of_a_template(tmp_path: Path) -> None:
    found = check(tmp_path, page="{{ a|uper }}\n{% include 'x.html' %}\n{{ a is nothing }}", other="")
    assert [line.partition(": ")[0] for line in found] == ["page.html:1", "page.html:3", "page.html:2"]


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(b"\xff\xfe")
    (tmp_path / "page.html").write_bytes(b"\xff\xfe")
    (found,) = check(tmp_path)
    assert found.startswith("page.html:1: ")


def test_without_templates() -> None:
    assert list(check_templates(Application())) == []
