import traceback
import weakref
from dataclasses import dataclass
from typing import Any

import pytest

from atlas.gateway.shared_exceptions import drop_earlier_frames, drop_frames


class Thing:
    """Something that a function has in a variable."""


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:
        return caught


def test_frames_are_dropped_the_second_time() -> None:
    error = ValueError()
    drop_frames(raised(error))
    assert error.__traceback__ is not None
    drop_frames(raised(error))
    assert error.__traceback__ is None
    drop_frames(raised(error))
    assert error.__traceback__ is None


def test_frames_of_an_exception_that_only_atlas_has_seen_are_dropped_at_once() -> None:
    reason, error = KeyError(), ValueError()
    raised(reason)
    drop_frames(raised(error, reason), unseen=True)
    assert error.__traceback__ is None
    assert error.__cause__ is None
    assert not error.__suppress_context__
    assert reason.__traceback__ is not None, "the program may have kept it"


def test_exceptions_that_it_refers_to() -> None:
    shared = KeyError()

    def fail() -> None:
        try:
            raise shared
        except KeyError:
            raise ValueError from None

    for kept in (True, False):
        with pytest.raises(ValueError) as caught:
            fail()
        assert caught.value.__context__ is shared
        drop_frames(caught.value)
        assert (shared.__traceback__ is not None) is kept
    raised(shared)
    drop_frames(ExceptionGroup("several", [TypeError(), shared]))
    assert shared.__traceback__ is None


def test_a_circle_of_exceptions_ends() -> None:
    one, two = ValueError(), KeyError()
    one.__context__, two.__context__ = two, one
    drop_frames(one)
    drop_frames(one)
    assert one.__context__ is two.__context__ is None


def test_a_class_that_refuses_attributes() -> None:
    @dataclass(frozen=True)
    class Frozen(Exception):
        number: Any

    error = Frozen(1)
    for _ in range(2):
        drop_frames(error.with_traceback(raised(ValueError()).__traceback__))
    assert error.__traceback__ is None


def test_of_an_exception_that_leaves_the_application_the_last_frames_stay() -> None:
    shared = ValueError("each time")

    def leave(thing: Thing) -> None:
        raise shared

    def server(thing: Thing) -> None:
        try:
            try:
                leave(thing)
            except ValueError as error:
                drop_earlier_frames(error)
                raise
        except ValueError:
            assert len(traceback.extract_tb(shared.__traceback__)) == 2

    things = [Thing() for _ in range(4)]
    for thing in things:
        server(thing)
    kept = [weakref.ref(thing) for thing in things]
    del thing, things
    assert [each() is not None for each in kept] == [False, False, False, True]
    drop_frames(shared)
    drop_frames(shared)
    assert kept[-1]() is None
