from contextvars import Context
from typing import Any, Self

from atlas._speedups.calls.handlers import Endpoint
from atlas._speedups.calls.request import RequestData
from atlas._speedups.calls.route_table import RouteTable
from atlas._speedups.http.exchange import Exchange, Gateway

class NativeCaller(Gateway):
    def __new__(cls, application: Any, pool: Any, loop: Any, context: Context, task_type: type[Any]) -> Self: ...
    @property
    def route_table(self) -> RouteTable: ...
    def ended(
        self, exchange: Exchange, request: RequestData, context: Context, endpoint: Endpoint | None, task: Any
    ) -> None: ...
