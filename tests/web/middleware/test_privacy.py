import pytest

from atlas import Response
from atlas.web.middleware.privacy import keep_private


@pytest.mark.parametrize(
    ("said", "new_cookie", "then"),
    [
        (None, False, "private"),
        (None, True, "no-store"),
        ("public, max-age=9", False, "public, max-age=9"),
        ("public, max-age=9", True, "no-store"),
        ("max-age=9", True, "no-store"),
        ("private, max-age=9", True, "private, max-age=9"),
        ("no-store", True, "no-store"),
    ],
)
def test_what_caches_are_told(said: str | None, new_cookie: bool, then: str) -> None:
    response = Response(headers={"vary": "accept"} | ({"cache-control": said} if said is not None else {}))
    keep_private(response, new_cookie=new_cookie)
    assert (response.headers["cache-control"], response.headers["vary"]) == (then, "accept, cookie")
