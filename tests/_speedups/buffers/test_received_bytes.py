"""What is pending is a queue of bytes that holds no memory when it is empty."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.compiled.byte_buffers import Received


def test_it_begins_without_bytes_and_without_memory() -> None:
    pending = Received()
    assert (pending.data, pending.capacity) == (b"", 0)


def test_added_bytes_follow_the_kept_bytes() -> None:
    pending = Received()
    pending.append(b"one")
    pending.append(b"two")
    assert pending.data == b"onetwo"


@pytest.mark.parametrize(("size", "capacity"), [(1, 256), (256, 256), (257, 512), (70_000, 131_072)])
def test_memory_doubles(size: int, capacity: int) -> None:
    pending = Received()
    pending.append(b"x" * size)
    assert pending.capacity == capacity
    assert pending.data == b"x" * size


@pytest.mark.parametrize("taken", [3, 4, 1000])
def test_when_all_is_taken_the_memory_is_given_back(taken: int) -> None:
    pending = Received()
    pending.append(b"abc")
    pending.consume(taken)
    assert (pending.data, pending.capacity) == (b"", 0)
    pending.append(b"again")
    assert pending.data == b"again"


def test_dripping_does_not_cost_memory_for_each_drop() -> None:
    pending = Received()
    for _ in range(200):
        pending.append(b"x")
    assert pending.capacity == 256


@given(st.lists(st.one_of(st.binary(max_size=600), st.integers(0, 700)), max_size=20))
def test_any_order_of_steps_is_what_a_bytearray_would_do(steps: list[bytes | int]) -> None:
    pending, model = Received(), bytearray()
    for step in steps:
        if isinstance(step, bytes):
            pending.append(step)
            model += step
        else:
            pending.consume(step)
            del model[:step]
        assert pending.data == bytes(model)
        assert pending.capacity >= len(model)


@pytest.mark.parametrize("wrong", [None, "text"])
def test_only_bytes_are_kept(wrong: object) -> None:
    with pytest.raises(TypeError):
        Received().append(wrong)  # type: ignore[arg-type]
