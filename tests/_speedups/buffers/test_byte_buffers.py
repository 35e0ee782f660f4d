"""A buffer gives back what was put in, however it grew."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.compiled.byte_buffers import Written

MOST = 2**64 - 1

numbers = st.one_of(st.integers(0, MOST), st.sampled_from([0, 9, 10, 15, 16, 2**32, 2**63, MOST]))


def test_it_begins_empty() -> None:
    buffer = Written()
    assert len(buffer) == 0
    assert buffer.take() == b""


def test_what_was_taken_is_gone() -> None:
    buffer = Written()
    buffer.append(b"one")
    assert buffer.take() == b"one"
    assert len(buffer) == 0
    buffer.append(b"two")
    assert buffer.take() == b"two"


def test_what_was_taken_never_changes() -> None:
    buffer = Written()
    buffer.append(b"a" * 1000)
    taken = buffer.take()
    buffer.append(b"b" * 1000)
    assert taken == b"a" * 1000


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 2048, 2049, 100_000, 262_144, 262_145, 3_000_000])
def test_a_chunk_of_any_size_fits(size: int) -> None:
    buffer = Written()
    piece = bytes(index % 251 for index in range(min(size, 5000))) * (size // 5000 + 1)
    piece = piece[:size]
    buffer.append(b"<")
    buffer.append(piece)
    buffer.append(b">")
    assert len(buffer) == size + 2
    assert buffer.take() == b"<" + piece + b">"


def test_it_goes_on_after_the_memory_of_a_large_body_was_given_back() -> None:
    buffer = Written()
    for _ in range(3):
        buffer.append(b"x" * 1_000_000)
        assert len(buffer.take()) == 1_000_000
        buffer.append(b"small")
        assert buffer.take() == b"small"


@given(numbers)
def test_a_number_is_written_as_python_writes_it(number: int) -> None:
    buffer = Written()
    buffer.append_decimal(number)
    buffer.append(b" ")
    buffer.append_hex(number)
    assert buffer.take() == b"%d %x" % (number, number)


@pytest.mark.parametrize("add", [Written.append_decimal, Written.append_hex])
@pytest.mark.parametrize("number", [-1, MOST + 1])
def test_a_number_that_does_not_fit_is_refused(add: Callable[[Written, int], None], number: int) -> None:
    buffer = Written()
    with pytest.raises(OverflowError):
        add(buffer, number)
    assert len(buffer) == 0


@pytest.mark.parametrize("size", range(7))
def test_the_front_can_be_dropped(size: int) -> None:
    buffer = Written()
    buffer.append(b"abcdef")
    buffer.consume(size)
    buffer.append(b"!")
    assert buffer.take() == b"abcdef"[size:] + b"!"


@pytest.mark.parametrize("size", [-1, 4])
def test_no_more_is_dropped_than_there_is(size: int) -> None:
    buffer = Written()
    buffer.append(b"abc")
    with pytest.raises(ValueError, match=f"0 to 3 bytes to consume, got {size}"):
        buffer.consume(size)
    assert buffer.take() == b"abc"


@pytest.mark.parametrize("wrong", [None, "text", bytearray(b"a")])
def test_only_bytes_are_added(wrong: object) -> None:
    with pytest.raises(TypeError):
        Written().append(wrong)  # type: ignore[arg-type]


steps = st.one_of(
    st.tuples(st.just("add"), st.binary(max_size=3000)),
    st.tuples(st.just("drop"), st.floats(0, 1)),
    st.tuples(st.just("take"), st.none()),
)


@given(st.lists(steps, max_size=30))
def test_any_order_of_steps_is_what_a_bytearray_would_do(order: list[tuple[str, object]]) -> None:
    buffer, model = Written(), bytearray()
    for step, argument in order:
        if step == "add":
            buffer.append(argument)  # type: ignore[arg-type]
            model += argument  # type: ignore[operator]
        elif step == "drop":
            size = int(len(model) * argument)  # type: ignore[operator]
            buffer.consume(size)
            del model[:size]
        else:
            assert buffer.take() == bytes(model)
            model.clear()
        assert len(buffer) == len(model)
    assert buffer.take() == bytes(model)
