import pytest

from atlas.gateway.lifespan_support import lacks_lifespan


@pytest.mark.parametrize(
    ("error", "received", "lacks"),
    [
        (AssertionError(), False, True),
        (KeyError("path"), False, True),
        (KeyError("body"), True, True),
        (KeyError("headers"), True, True),
        (KeyError("DATABASE_URL"), True, False),
        (KeyError(), True, False),
        (KeyError(["body"]), True, False),
        (OSError("no disk"), True, False),
        (SystemExit(1), False, False),
    ],
)
def test_it_is_told_by_the_exception(error: BaseException, received: bool, lacks: bool) -> None:
    assert lacks_lifespan(error, received=received) is lacks
