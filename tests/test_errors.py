"""The exceptions of Atlas: their attributes and base classes."""

import pytest

from atlas.errors import ClientDisconnected, LifespanError, ProtocolError, StartupError


def test_a_protocol_error_says_status_and_reason() -> None:
    error = ProtocolError(431, "the head is larger than 65536 bytes", "--limit-request-head")
    assert (error.status, error.reason, error.flag) == (
        431,
        "the head is larger than 65536 bytes",
        "--limit-request-head",
    )
    assert str(error) == "431: the head is larger than 65536 bytes"
    assert ProtocolError(400, "no").flag is None


@pytest.mark.parametrize(("error", "kind"), [(ClientDisconnected, OSError), (LifespanError, StartupError)])
def test_an_error_is_caught_as_what_it_is_a_kind_of(error: type[Exception], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        raise error
