from datetime import date
from typing import Any

import pytest

from atlas.web.sessions.session import CSRF_SECRET, Flash, Kept, Session, SessionAction


def kept(data: bytes = b'{"a":1,"list":[1]}') -> Session:
    return Session(lambda: Kept(data, 5.0))


def test_it_is_a_dict() -> None:
    session = Session()
    session["a"] = 1
    session.update(b=2)
    assert (session["a"], session.get("c"), "b" in session, len(session), dict(session)) == (
        1,
        None,
        True,
        2,
        {"a": 1, "b": 2},
    )
    assert session.pop("a") == 1
    assert list(session) == ["b"]
    assert repr(session) == "Session({'b': 2})"


def test_a_session_that_was_not_accessed() -> None:
    def load() -> Kept:
        raise AssertionError("the session is not accessed")

    session = Session(load)
    assert (session.accessed, session.modified, session.action()) == (False, False, (SessionAction.LEAVE, b""))
    assert repr(session) == "Session(<not accessed>)"


def test_access_is_no_change() -> None:
    session = kept()
    assert session["a"] == 1
    assert (session.accessed, session.modified, session.is_new, session.age) == (True, False, False, 5.0)


def test_a_new_one_that_stays_empty_is_not_kept() -> None:
    session = Session()
    assert session.get("a") is None
    assert (session.accessed, session.modified, session.is_new) == (True, False, True)


def test_a_change_is_noticed() -> None:
    session = kept()
    session["a"] = 2
    assert session.action() == (SessionAction.SAVE, b'{"a":2,"list":[1]}')


def test_a_change_inside_of_a_value_is_noticed() -> None:
    session = kept()
    session["list"].append(2)
    assert session.action() == (SessionAction.SAVE, b'{"a":1,"list":[1,2]}')


def test_the_same_value_again_is_no_change() -> None:
    session = kept()
    session["a"] = 1
    assert not session.modified


def test_an_emptied_session_is_deleted() -> None:
    session = kept()
    session.clear()
    assert session.action() == (SessionAction.DELETE, b"")


def test_cleared_and_filled_again_it_has_another_name() -> None:
    session = kept()
    session.clear()
    session["b"] = 1
    assert session.action() == (SessionAction.RENEW, b'{"b":1}')


def test_rotation_keeps_everything_but_the_csrf_secret() -> None:
    session = kept(b'{"a":1,"_csrf":"x"}')
    session.rotate()
    assert CSRF_SECRET == "_csrf"
    assert session.action() == (SessionAction.RENEW, b'{"a":1}')


def test_flashes_are_shown_once() -> None:
    session = Session()
    assert session.flashes() == []
    session.flash("Saved.")
    session.flash("Careful!", "warning")
    later = kept(session.action()[1])
    assert later.flashes() == [Flash("Saved.", "info"), ("Careful!", "warning")]
    assert later.flashes() == []
    assert later.action()[0] is SessionAction.DELETE


def test_after_the_response_has_begun() -> None:
    session = kept()
    session.seal()
    assert session["a"] == 1
    for change in (lambda: session.update(a=2), session.clear, session.rotate, lambda: session.flash("x")):
        with pytest.raises(RuntimeError, match="after the response had begun"):
            change()
    with pytest.raises(RuntimeError, match="after the response had begun"):
        del session["a"]


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"null"])
def test_invalid_data_is_an_empty_session(data: bytes) -> None:
    assert dict(kept(data)) == {}


@pytest.mark.parametrize("value", [object(), {1: {2}, "a": object}, lambda: 1])
def test_values_without_a_json_form(value: Any) -> None:
    session = Session()
    session["a"] = value
    with pytest.raises(TypeError, match="session: a value cannot be kept as JSON"):
        session.action()


def test_values_come_back_as_json() -> None:
    session = Session()
    session["day"], session["pair"] = date(2030, 1, 2), (1, 2)
    assert dict(kept(session.action()[1])) == {"day": "2030-01-02", "pair": [1, 2]}


def test_a_key_is_a_string() -> None:
    with pytest.raises(TypeError, match="expected a str as the key, got 1"):
        Session()[1] = 1  # type: ignore[index]
