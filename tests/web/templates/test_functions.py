import asyncio
from typing import Any

from atlas import AsyncRequest, Request
from atlas.gateway.greenlets import in_greenlet
from atlas.web.templates.functions import Functions, adapted_processor


async def double(value: int) -> int:
    await asyncio.sleep(0)
    return 2 * value


def test_a_coroutine_function_is_waited_for() -> None:
    functions = Functions()
    functions.update(double=double, name="x")
    functions.setdefault("name", "y")
    assert functions.setdefault("triple", lambda value: 3 * value)(2) == 6
    assert functions["name"] == "x"
    assert asyncio.run(in_greenlet(functions["double"], 4)) == 8


def test_only_functions_may_wait() -> None:
    functions = Functions()
    functions["name"] = "x"
    assert not functions.may_wait
    functions["double"] = double
    assert functions.may_wait


class Kinds:
    def as_type(self, kind: type) -> Any:
        return kind


def test_a_context_processor_gets_the_request_of_its_kind() -> None:
    async def awaited(request: Any) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"kind": request}

    assert adapted_processor(lambda request: {"kind": request})(Kinds()) == {"kind": Request}
    assert asyncio.run(in_greenlet(adapted_processor(awaited), Kinds())) == {"kind": AsyncRequest}
