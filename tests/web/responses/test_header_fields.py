from atlas import Response
from atlas.web.responses.header_fields import put_field, vary_on


def test_a_field_is_set_once() -> None:
    response = Response(headers={"x-a": "1", "x-b": "1"}, content_type="")
    response.headers.add("x-a", "2")
    put_field(response, b"x-a", b"3")
    put_field(response, b"x-c", b"4")
    assert response.raw_headers == [(b"x-b", b"1"), (b"x-a", b"3"), (b"x-c", b"4")]


def test_vary() -> None:
    response = Response(content_type="")
    for name in (b"origin", b"cookie", b"origin"):
        vary_on(response, name)
    assert response.raw_headers == [(b"vary", b"origin, cookie")]
