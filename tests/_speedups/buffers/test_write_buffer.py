"""A buffer gives back what was put in, however it grew."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas._speedups.buffers.write_buffer import WriteBuffer

MOST = 2**64 - 1

numbers = st.one_of(st.integers(0, MOST), st.sampled_from([0, 9, 10, 15, 16, 2**32, 2**63, MOST]))


def test_it_begins_empty() -> None:
    buffer = WriteBuffer()
    assert len(buffer) == 0
    assert buffer.take_all() == b""


def test_what_was_taken_is_gone() -> None:
    buffer = WriteBuffer()
    buffer.add(b"one")
    assert buffer.take_all() == b"one"
    assert len(buffer) == 0
    buffer.add(b"two")
    assert buffer.take_all() == b"two"


def test_what_was_taken_never_changes() -> None:
    buffer = WriteBuffer()
    buffer.add(b"a" * 1000)
    taken = buffer.take_all()
    buffer.add(b"b" * 1000)
    assert taken == b"a" * 1000


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 2048, 2049, 100_000, 262_144, 262_145, 3_000_000])
def test_a_piece_of_any_size_fits(size: int) -> None:
    buffer = WriteBuffer()
    piece = bytes(index % 251 for index in range(min(size, 5000))) * (size // 5000 + 1)
    piece = piece[:size]
    buffer.add(b"<")
    buffer.add(piece)
    buffer.add(b">")
    assert len(buffer) == size + 2
    assert buffer.take_all() == b"<" + piece + b">"


def test_it_goes_on_after_the_memory_of_a_large_body_was_given_back() -> None:
    buffer = WriteBuffer()
    for _ in range(3):
        buffer.add(b"x" * 1_000_000)
        assert len(buffer.take_all()) == 1_000_000
        buffer.add(b"small")
        assert buffer.take_all() == b"small"


@given(numbers)
def test_a_number_is_written_as_python_writes_it(number: int) -> None:
    buffer = WriteBuffer()
    buffer.add_decimal(number)
    buffer.add(b" ")
    buffer.add_hex(number)
    assert buffer.take_all() == b"%d %x" % (number, number)


@pytest.mark.parametrize("add", [WriteBuffer.add_decimal, WriteBuffer.add_hex])
@pytest.mark.parametrize("number", [-1, MOST + 1])
def test_a_number_that_does_not_fit_is_refused(add: Callable[[WriteBuffer, int], None], number: int) -> None:
    buffer = WriteBuffer()
    with pytest.raises(OverflowError):
        add(buffer, number)
    assert len(buffer) == 0


@pytest.mark.parametrize("size", range(7))
def test_the_front_can_be_dropped(size: int) -> None:
    buffer = WriteBuffer()
    buffer.add(b"abcdef")
    buffer.drop(size)
    buffer.add(b"!")
    assert buffer.take_all() == b"abcdef"[size:] + b"!"


@pytest.mark.parametrize("size", [-1, 4])
def test_no_more_is_dropped_than_there_is(size: int) -> None:
    buffer = WriteBuffer()
    buffer.add(b"abc")
    with pytest.raises(ValueError, match=f"0 to 3 bytes to drop, got {size}"):
        buffer.drop(size)
    assert buffer.take_all() == b"abc"


@pytest.mark.parametrize("wrong", [None, "text", bytearray(b"a")])
def test_only_bytes_are_added(wrong: object) -> None:
    with pytest.raises(TypeError):
        WriteBuffer().add(wrong)  # type: ignore[arg-type]


steps = st.one_of(
    st.tuples(st.just("add"), st.binary(max_size=3000)),
    st.tuples(st.just("drop"), st.floats(0, 1)),
    st.tuples(st.just("take"), st.none()),
)


@given(st.lists(steps, max_size=30))
def test_any_order_of_steps_is_what_a_bytearray_would_do(order: list[tuple[str, object]]) -> None:
    buffer, model = WriteBuffer(), bytearray()
    for step, argument in order:
        if step == "add":
            buffer.add(argument)  # type: ignore[arg-type]
            model += argument  # type: ignore[operator]
        elif step == "drop":
            size = int(len(model) * argument)  # type: ignore[operator]
            buffer.drop(size)
            del model[:size]
        else:
            assert buffer.take_all() == bytes(model)
            model.clear()
        assert len(buffer) == len(model)
    assert buffer.take_all() == bytes(model)
