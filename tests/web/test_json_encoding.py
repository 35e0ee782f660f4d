import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import msgspec
import pytest
from markupsafe import Markup

from atlas import (
    Application,
    EventSourceResponse,
    HTTPException,
    JSONResponse,
    Request,
    Response,
    Route,
    Sessions,
    render,
)
from atlas.errors import StartupError
from atlas.testing import TestClient
from atlas.web.json_encoding import encode_json, format_json
from atlas.web.multidict import MultiDict

Ask = Callable[..., httpx.Response]
KEY = "k" * 32


class Text(str):
    __slots__ = ()


class Number(float):
    pass


class Count(int):
    pass


class Moment(datetime):
    pass


class Day(date):
    pass


class Hour(time):
    pass


class Span(timedelta):
    pass


class Price(Decimal):
    pass


class Octets(bytes):
    pass


class Struct(msgspec.Struct):
    value: Any


@dataclass
class Point:
    x: Any


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Markup("<b>"), '"<b>"'),
        (Text("a"), '"a"'),
        (Number(1.5), "1.5"),
        (Count(3), "3"),
        (Moment(2030, 1, 2, 3, tzinfo=UTC), '"2030-01-02T03:00:00Z"'),
        (Day(2030, 1, 2), '"2030-01-02"'),
        (Hour(1, 2), '"01:02:00"'),
        (Span(1), '"P1D"'),
        (Price("1.50"), '"1.50"'),
        (Octets(b"x"), '"eA=="'),
        (deque([1]), "[1]"),
        (range(2), "[0,1]"),
        ({"a": 1}.keys(), '["a"]'),
        (MappingProxyType({"a": 1}), '{"a":1}'),
        (MultiDict([("a", "1"), ("a", "2")]), '{"a":"2"}'),
        ({None: 1}, '{"null":1}'),
        ({True: 1, False: 2}, '{"true":1,"false":2}'),
        ({Markup("a"): 1, Count(2): 3}, '{"a":1,"2":3}'),
        (Struct({None: Markup("x")}), '{"value":{"null":"x"}}'),
        (2**70, str(2**70)),
        ([math.nan, math.inf, -math.inf], "[null,null,null]"),
    ],
)
def test_values_that_are_converted(value: Any, text: str) -> None:
    assert encode_json(value).decode() == text


def test_values_of_numpy() -> None:
    numpy = pytest.importorskip("numpy")
    value = {
        "float": numpy.float64(1.5),
        "single": numpy.float32(0.5),
        "int": numpy.int64(3),
        "bool": numpy.bool_(True),
        "text": numpy.str_("a"),
        "array": numpy.array([[1, 2], [3, 4]]),
        numpy.int64(7): numpy.datetime64("2030-01-02"),
    }
    text = '{"float":1.5,"single":0.5,"int":3,"bool":true,"text":"a","array":[[1,2],[3,4]],"7":"2030-01-02"}'
    assert encode_json(value).decode() == text


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (object(), r"the value at \$ is of the type object, which has no JSON form"),
        ({"a": [1, {"b": object()}]}, r"the value at \$\.a\[1\]\.b is of the type object"),
        ({"a": {(1, 2): 3}}, r"the key at \$\.a is of the type tuple"),
        ({3: {4: Fraction(1, 2)}}, r"the value at \$\[3\]\[4\] is of the type fractions\.Fraction"),
        (Struct([Point(object)]), r"the value at \$\.value\[0\]\.x is of the type type"),
        (deque([{"a": Path()}]), r"the value at \$\[0\]\.a is of the type pathlib\.PosixPath"),
        ({"rows": (row for row in ())}, r"the value at \$\.rows is of the type generator"),
    ],
)
def test_an_error_names_the_place_and_the_type(value: Any, place: str) -> None:
    with pytest.raises(TypeError, match=f"JSON: {place}"):
        encode_json(value)


@pytest.mark.parametrize("value", [{"a": "x\udc80"}, ["x\udc80"]])
def test_text_that_is_not_unicode(value: Any) -> None:
    with pytest.raises(ValueError, match=r"JSON: the value at \$(\.a|\[0\]) is text with a surrogate"):
        encode_json(value)


def test_a_value_that_contains_itself() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(ValueError, match="the list contains itself, or is nested too deeply"):
        encode_json(value)


@pytest.mark.filterwarnings("error")
def test_a_value_that_was_not_awaited() -> None:
    async def name() -> str:
        return "x"

    with pytest.raises(TypeError, match=r"the value at \$\.name is a coroutine, 'await' is missing"):
        encode_json({"name": name()})


def test_indented() -> None:
    assert format_json({"a": [1]}, indent=1) == '{\n "a": [\n  1\n ]\n}'
    assert format_json({"ü": 1}) == '{"ü":1}'


# ------------------------------------------------------------------------------------- the encoder of an application


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents


def encoder(value: Any) -> Any:
    if isinstance(value, Money):
        return {"cents": value.cents}
    raise TypeError(f"no rule for {type(value).__name__}")


@pytest.fixture
def app(tmp_path: Path) -> Application:
    (tmp_path / "page.html").write_text("{{ value | tojson }} {{ value | tojson(indent=1) }}")

    def value(request: Request) -> Any:
        return {"value": Money(5), "markup": Markup("<b>"), "queue": deque([1])}

    async def waiting(request: Request) -> Any:
        return JSONResponse({"value": [Money(5)]})

    def page(request: Request) -> Response:
        return render(request, "page.html", {"value": [Money(5), Markup("<b>"), date(2030, 1, 2)]})

    def problem(request: Request) -> Any:
        error = HTTPException(409)
        error.members["price"] = Money(5)
        raise error

    def events(request: Request) -> Response:
        def generate() -> Iterator[Any]:
            yield {"data": {"price": Money(5)}}

        return EventSourceResponse(generate())

    def keep(request: Request) -> Any:
        request.session["price"] = Money(5)
        return "kept"

    def kept(request: Request) -> Any:
        return dict(request.session)

    def unknown(request: Request) -> Any:
        return {"a": [Fraction(1, 2)]}

    routes = [
        Route("/value", value),
        Route("/inline", value, run="inline", name="inline"),
        Route("/thread", value, run="thread", name="thread"),
        Route("/async", waiting),
        Route("/page", page),
        Route("/problem", problem),
        Route("/events", events),
        Route("/keep", keep),
        Route("/kept", kept),
        Route("/unknown", unknown),
    ]
    middleware = [Sessions(KEY)]
    return Application(routes, middleware=middleware, config={"template_dirs": [str(tmp_path)]}, json_encoder=encoder)


@pytest.mark.parametrize("path", ["/value", "/inline", "/thread"])
def test_a_result_is_encoded_by_the_application(ask: Ask, app: Application, path: str) -> None:
    assert ask(app, "GET", path).text == '{"value":{"cents":5},"markup":"<b>","queue":[1]}'


def test_a_response_is_encoded_by_the_application(ask: Ask, app: Application) -> None:
    assert ask(app, "GET", "/async").text == '{"value":[{"cents":5}]}'


def test_a_template_writes_what_a_response_does(ask: Ask, app: Application) -> None:
    line, indented = ask(app, "GET", "/page").text.split(" ", 1)
    assert line == '[{"cents":5},"\\u003cb\\u003e","2030-01-02"]'
    assert indented.startswith('[\n {\n  "cents": 5')


def test_a_problem_is_encoded_by_the_application(ask: Ask, app: Application) -> None:
    response = ask(app, "GET", "/problem")
    assert (response.status_code, response.json()["price"]) == (409, {"cents": 5})


def test_events_are_encoded_by_the_application(ask: Ask, app: Application) -> None:
    assert 'data: {"price":{"cents":5}}' in ask(app, "GET", "/events").text


def test_a_session_is_encoded_by_the_application(app: Application) -> None:
    with TestClient(app) as client:
        assert client.get("/keep").text == "kept"
        assert client.get("/kept").json() == {"price": {"cents": 5}}


def test_an_error_names_the_controller_and_the_message_of_the_encoder(app: Application) -> None:
    message = r"the controller unknown \(.*test_json_encoding\.py:\d+\) returned a dict that cannot be sent: JSON: the "
    message += r"value at \$\.a\[0\] is of the type fractions\.Fraction, which has no JSON form: no rule for Fraction"
    with TestClient(app) as client, pytest.raises(TypeError, match=message):
        client.get("/unknown")


def test_the_encoder_takes_precedence_for_types_that_json_has_not() -> None:
    app = Application([Route("/", lambda request: {"q": deque([1])})], json_encoder=lambda value: str(value))
    with TestClient(app) as client:
        assert client.get("/").json() == {"q": "deque([1])"}


def test_an_encoder_that_cannot_be_called() -> None:
    async def waits(value: Any) -> Any:
        return value

    for given, message in (("x", "expected a function"), (lambda: 1, "is called with the value"), (waits, "is async")):
        with pytest.raises(StartupError, match=f"json_encoder.*{message}"):
            Application(json_encoder=given)  # type: ignore[arg-type]
