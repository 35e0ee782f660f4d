from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from contextvars import Context
from enum import IntEnum
from typing import Any, TypeVar, final

from atlas._speedups.calls.request import RequestData
from atlas._speedups.calls.router import RouteTree
from atlas.types import Receive, Scope

_T = TypeVar("_T")
_Hook = tuple[int, Callable[..., Any], bool]

class RunMode(IntEnum):
    INLINE = 0
    GREENLET = 1
    ASYNC = 2

@final
class Endpoint:
    def __new__(
        cls,
        controller: Callable[..., Any],
        run_mode: RunMode,
        convert: Callable[[Any, Callable[..., Any]], Any],
        on_error: Callable[[Any, Exception], Any],
        wait: Callable[[Awaitable[Any]], Any] | None = None,
    ) -> Endpoint: ...
    @property
    def controller(self) -> Callable[..., Any]: ...
    @property
    def run_mode(self) -> RunMode: ...
    def respond(self, request: Any) -> Any: ...
    async def call_async(self, request: Any) -> Any: ...
    async def after_await(self, request: Any, awaitable: Awaitable[Any]) -> Any: ...
    async def complete(self, request: Any, response: Any) -> Any: ...

@final
class Suspended:
    def __new__(cls, coroutine: Coroutine[Any, Any, Any], yielded: Any) -> Suspended: ...
    def __await__(self) -> Generator[Any, Any, Any]: ...

@final
class Hooks:
    def __new__(
        cls,
        before: tuple[_Hook, ...],
        after: tuple[_Hook, ...],
        count: int,
        inner: Callable[[Any], Any],
        on_error: Callable[[Any, Exception], Any],
        waits: bool,
    ) -> Hooks: ...
    def respond(self, request: Any) -> Any: ...
    async def run(self, request: Any) -> Any: ...

@final
class Handler:
    def __new__(
        cls, call: Callable[[Any], Any], run_mode: RunMode, cancel: bool | None = None, endpoint: Endpoint | None = None
    ) -> Handler: ...
    @property
    def call(self) -> Callable[[Any], Any]: ...
    @property
    def run_mode(self) -> RunMode: ...
    @property
    def cancel(self) -> bool | None: ...

def call_handler(
    handler: Handler, request: RequestData, greenlets: Any, pool: Any = None, context: Context | None = None
) -> Any:
    """Call a handler; return the response, or an awaitable of it if the handler waits."""

def run_now(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine that does not suspend, and return its result. :raises RuntimeError: if it suspends."""

@final
class RouteTable:
    def __new__(cls, app: Any, sync_type: type[Any], async_type: type[Any]) -> RouteTable: ...
    @property
    def app(self) -> Any: ...
    @property
    def is_ready(self) -> bool: ...
    def fill(
        self, tree: RouteTree[Any] | None, handlers: Mapping[Any, tuple[Handler, Handler]], no_match_handler: Handler
    ) -> None: ...
    def clear(self) -> None: ...
    def match(self, method: str, path: bytes, decoded: bool = False) -> tuple[Any, tuple[Any, ...]] | None: ...
    def make_request(
        self, scope: Scope, receive: Receive, found: tuple[Any, tuple[Any, ...]]
    ) -> tuple[Any, Handler]: ...
    def get_handler(self, route: Any, has_body: bool) -> Handler: ...
