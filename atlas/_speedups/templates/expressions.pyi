from typing import Any

class Expression: ...

class Constant(Expression):
    def __init__(self, value: Any) -> None: ...

class Local(Expression):
    def __init__(self, slot: int, name: str) -> None: ...

class Attribute(Expression):
    def __init__(self, owner: Expression, name: str) -> None: ...

class Item(Expression):
    def __init__(self, owner: Expression, key: Expression) -> None: ...

class Call(Expression):
    def __init__(
        self,
        function: Expression,
        arguments: tuple[Expression, ...] = (),
        names: tuple[str, ...] = (),
        named: tuple[Expression, ...] = (),
    ) -> None: ...

class Filter(Expression):
    def __init__(
        self,
        kind: str,
        name: str,
        first: str,
        value: Expression,
        arguments: tuple[Expression, ...] = (),
        names: tuple[str, ...] = (),
        named: tuple[Expression, ...] = (),
    ) -> None: ...

class Unary(Expression):
    def __init__(self, operator: str, value: Expression) -> None: ...

class Binary(Expression):
    def __init__(self, operator: str, left: Expression, right: Expression) -> None: ...

class Compare(Expression):
    def __init__(self, first: Expression, operators: tuple[str, ...], others: tuple[Expression, ...]) -> None: ...

class Conditional(Expression):
    def __init__(
        self, test: Expression, value: Expression, other: Expression | None, hint: str | None = None
    ) -> None: ...

class Concatenation(Expression):
    def __init__(self, escapes: bool, *parts: Expression) -> None: ...

class Collection(Expression):
    def __init__(self, kind: type, *parts: Expression) -> None: ...

class Mapping(Expression):
    def __init__(self, keys: tuple[Expression, ...], values: tuple[Expression, ...]) -> None: ...

class Marked(Expression):
    def __init__(self, value: Expression, always: bool) -> None: ...
