import codecs

import pytest

from atlas import BadRequest
from atlas.web.requests.charsets import checked_charset, declared_charset, decode_text, find_charset, parse_parameters


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("UTF-8", "utf-8"),
        (" utf8 ", "utf-8"),
        ("ISO-8859-1", "iso8859-1"),
        ("latin1", "iso8859-1"),
        ("us-ascii", "ascii"),
        ("windows-1252", "cp1252"),
        ("cp1251", "cp1251"),
        ("Shift_JIS", "shift_jis"),
        ("windows-31j", "cp932"),
        ("ks_c_5601-1987", "euc_kr"),
        ("GB2312", "gb2312"),
        ("macintosh", "mac-roman"),
        ("utf-16le", "utf-16-le"),
    ],
)
def test_labels(label: str, name: str) -> None:
    found = find_charset(label)
    assert found is not None
    assert codecs.lookup(found).name == name


OTHERS = (
    "nonsense,idna,punycode,unicode_escape,raw_unicode_escape,utf-7,base64,hex,zip,rot13,undefined,mbcs,,a\0b,\ud800"
)


def test_labels_of_other_codecs() -> None:
    for label in (*OTHERS.split(","), "", "a\0b", "\ud800"):
        assert find_charset(label) is None
    assert find_charset("x" * 10_000) is None


def test_an_unknown_label_is_not_looked_up_by_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's codec registry remembers each label for ever, so a client could fill the memory."""
    looked_up: list[str] = []
    codecs.register(lambda label: looked_up.append(label))  # type: ignore[arg-type, func-returns-value]
    assert find_charset("atlas-unknown") is None
    assert looked_up == []


@pytest.mark.parametrize("label", ["utf-16", "utf-32be", "nonsense", "utf-7"])
def test_an_encoding_in_which_a_form_cannot_be_read(label: str) -> None:
    with pytest.raises(BadRequest, match=f"it names the character encoding '{label}'"):
        declared_charset(label, "it")


def test_declared() -> None:
    assert declared_charset(None, "it") is None
    assert declared_charset("", "it") is None
    assert declared_charset("latin1", "it") == "latin_1"


def test_an_argument() -> None:
    assert checked_charset(None) is None
    assert checked_charset("windows-1252") == "cp1252"
    with pytest.raises(ValueError, match="expected a character encoding such as 'windows-1252', got 'x'"):
        checked_charset("x")


def test_text() -> None:
    assert decode_text("ü".encode(), "") == "ü"
    assert decode_text("ü".encode("latin-1"), 'text/plain; charset="ISO-8859-1"') == "ü"
    assert decode_text("ü".encode("utf-16"), "text/plain; charset=utf-16") == "ü"
    with pytest.raises(BadRequest, match="the body is not UTF-8"):
        decode_text(b"\xff", "text/plain")
    with pytest.raises(BadRequest, match="the content type names an unknown character encoding: 'x'"):
        decode_text(b"a", "text/plain; charset=x")


@pytest.mark.parametrize(
    ("value", "first", "parameters"),
    [
        ("", "", {}),
        ("Text/Plain", "text/plain", {}),
        ("a/b;", "a/b", {}),
        ("a/b; X=y; z", "a/b", {"x": "y"}),
        ('a/b; x="y;z=1" ;w=2', "a/b", {"x": '"y;z=1"', "w": "2"}),
        ('a/b; x="y\\"z"; w=2', "a/b", {"x": '"y\\"z"', "w": "2"}),
        ('a/b; x="y', "a/b", {"x": '"y'}),
        ('a/b; x="y\\"', "a/b", {"x": '"y\\"'}),
        ("a/b; x=; y = z ", "a/b", {"x": "", "y": "z"}),
        ("a/b; x=1; x=2", "a/b", {"x": "2"}),
    ],
)
def test_parameters(value: str, first: str, parameters: dict[str, str]) -> None:
    assert parse_parameters(value) == (first, parameters)
