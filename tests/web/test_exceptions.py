import pytest

from atlas import BadRequest, HTTPException, NotFound, TooManyRequests, abort
from atlas.web.exceptions import status_phrase


@pytest.mark.parametrize(("status", "kind"), [(400, BadRequest), (404, NotFound), (429, TooManyRequests)])
def test_abort_raises_the_class_of_a_status(status: int, kind: type[HTTPException]) -> None:
    with pytest.raises(kind) as caught:
        abort(status, "because", {"x-a": "b"})
    assert (caught.value.status_code, caught.value.detail, caught.value.headers) == (status, "because", {"x-a": "b"})


def test_abort_with_a_status_that_has_no_class() -> None:
    with pytest.raises(HTTPException, match="418 I'm a Teapot"):
        abort(418)


@pytest.mark.parametrize("status", [200, 302, 399, 600, 0])
def test_the_status_is_that_of_an_error(status: int) -> None:
    with pytest.raises(ValueError, match="expected a status from 400 to 599"):
        HTTPException(status)


def test_phrases() -> None:
    assert status_phrase(413) == "Content Too Large"
    assert status_phrase(404) == "Not Found"
    assert status_phrase(499) == "Error"
    assert str(NotFound("no such lake")) == "404 no such lake"
