"""Plans: the parts of a template that only print, decide and repeat, as expressions that make the compiled objects.

A part is planned if every node in it is known here, and if Python code would do the same. For every other part
:class:`Unsupported` is raised, and the code generator writes Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from jinja2 import nodes
from jinja2.compiler import Frame, find_undeclared
from jinja2.idtracking import VAR_LOAD_PARAMETER, VAR_LOAD_RESOLVE
from jinja2.utils import _PassArg
from markupsafe import Markup

from atlas._speedups.templates.statements import MAX_VARIABLES

if TYPE_CHECKING:
    from atlas.templates.code_generator import CodeGenerator

__all__ = ["PlanBuilder", "Unsupported"]

_MAX_NAMES = 40  # of arguments
_FIRST_ARGUMENTS = {
    None: "",
    _PassArg.context: "context",
    _PassArg.eval_context: "eval_ctx",
    _PassArg.environment: "environment",
}
# The nodes that Jinja2's code generator folds if they are constant; of others it folds the parts.
_FOLDED = (
    nodes.BinExpr,
    nodes.UnaryExpr,
    nodes.Concat,
    nodes.Compare,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Filter,
    nodes.Test,
    nodes.CondExpr,
    nodes.Call,
)


class Unsupported(Exception):
    """A node that Python code has to be written for."""


class PlanBuilder:
    """Builds one plan from the statements that stand one after the other.

    :param generator: the code generator.
    :param frame: the names that are known at the place.
    """

    def __init__(self, generator: CodeGenerator, frame: Frame) -> None:
        self.generator = generator
        self.frame = frame
        self.statements: list[str] = []
        self.last_line = 0  # of the last statement that Jinja2's code has a line for
        self.parameters: dict[str, int] = {}  # local variables of the Python function, and their slots
        self._slots: list[str] = []
        self._resolved: list[tuple[int, str]] = []
        self._scopes: list[dict[str, int]] = []  # of the loops around the current node

    def add(self, node: nodes.Node) -> bool:
        """Add a statement. Return whether it is supported."""
        before = self.parameters.copy(), len(self._slots), len(self._resolved)
        try:
            self.statements += self._statement(node, self.frame)
        except Unsupported:
            self.parameters = before[0]
            del self._slots[before[1] :], self._resolved[before[2] :]
            self._scopes.clear()
            return False
        return True

    def expression(self, function: str) -> str:
        """Return the expression that makes the plan.

        :param function: the name of the Python function that runs it.
        """
        parts = [
            "environment",
            "globals()",
            repr(function),
            repr(tuple(self._slots)),
            repr(tuple(self.parameters.values())),
            repr(tuple(self._resolved)),
            *self.statements,
        ]
        return f"Plan({', '.join(parts)})"

    # ------------------------------------------------------------------------------------------------- variables

    def _new_slot(self, reference: str) -> int:
        if len(self._slots) >= MAX_VARIABLES:
            raise Unsupported
        self._slots.append(reference)
        return len(self._slots) - 1

    def _slot(self, reference: str) -> int:
        for scope in reversed(self._scopes):
            if reference in scope:
                return scope[reference]
        if reference not in self.parameters:
            self.parameters[reference] = self._new_slot(reference)
        return self.parameters[reference]

    def _declare(self, reference: str) -> int:
        slot = self._scopes[-1][reference] = self._new_slot(reference)
        return slot

    def _enter(self, *frames: Frame) -> None:
        """Declare the variables that a loop reads and does not set."""
        for frame in frames:
            for reference, (action, name) in frame.symbols.loads.items():
                if action == VAR_LOAD_RESOLVE:
                    if reference not in self._scopes[-1]:
                        self._resolved.append((self._declare(reference), name))
                elif action != VAR_LOAD_PARAMETER:
                    raise Unsupported

    # ------------------------------------------------------------------------------------------------ statements

    def _statement(self, node: nodes.Node, frame: Frame) -> list[str]:
        if isinstance(node, nodes.Output):
            return self._output(node, frame)
        if isinstance(node, nodes.If):
            return [self._if(node, frame.soft())]
        if isinstance(node, nodes.For):
            return [self._for(node, frame)]
        raise Unsupported

    def _body(self, body: Iterable[nodes.Node], frame: Frame) -> str:
        return _tuple(part for node in body for part in self._statement(node, frame))

    def _output(self, node: nodes.Output, frame: Frame) -> list[str]:
        escapes, result = bool(frame.eval_ctx.autoescape), list[str]()
        texts: list[str] = []
        finalizes, keeps_plain = self.generator.finalizing()
        for child in node.nodes:
            text = self.generator.constant_output(child, frame)
            if text is not None:
                texts.append(text)
                continue
            if texts:
                result.append(f"Text({''.join(texts)!r})")
                texts = []
            value = self._expression(child, frame)
            self.last_line = child.lineno
            options = f", True, {keeps_plain}" if finalizes else ""
            result.append(f"Print({child.lineno}, {value}, {escapes}{options})")
        if texts:
            result.append(f"Text({''.join(texts)!r})")
        return result

    def _if(self, node: nodes.If, frame: Frame) -> str:
        lines, tests, bodies = [], [], []
        for branch in (node, *node.elif_):
            lines.append(repr(branch.lineno))
            tests.append(self._expression(branch.test, frame))
            self.last_line = branch.lineno
            bodies.append(self._body(branch.body, frame))
        other = self._body(node.else_, frame) if node.else_ else "None"
        return f"Condition({_tuple(lines)}, {_tuple(tests)}, {_tuple(bodies)}, {other})"

    def _for(self, node: nodes.For, frame: Frame) -> str:
        uses_loop = "loop" in find_undeclared(node.iter_child_nodes(only=("body",)), ("loop",))
        stores_loop = any(name.ctx == "store" and name.name == "loop" for name in node.find_all(nodes.Name))
        if node.recursive or stores_loop or (uses_loop and node.test is not None):
            raise Unsupported
        iterable = self._expression(node.iter, frame)
        inner = frame.inner()
        inner.loop_frame, inner.is_planned = True, True  # type: ignore[attr-defined]
        self._scopes.append({})
        loop_slot = self._declare(inner.symbols.declare_parameter("loop")) if uses_loop else -1
        inner.symbols.analyze_node(node, for_branch="body")
        target = self._target(node.target, inner)
        test = "None, 0"
        if node.test is not None:
            test_frame = frame.inner()
            test_frame.symbols.analyze_node(node, for_branch="test")
            self._enter(test_frame)
            test = f"{self._expression(node.test, test_frame)}, {node.test.lineno}"
        self._enter(inner)
        self.last_line = node.lineno
        body = self._body(node.body, inner)
        self._scopes.pop()
        other = self._else(node, frame)
        return f"Loop({node.lineno}, {target}, {iterable}, {body}, {other}, {loop_slot}, LoopContext, {test})"

    def _else(self, node: nodes.For, frame: Frame) -> str:
        if not node.else_:
            return "None"
        inner = frame.inner()
        inner.symbols.analyze_node(node, for_branch="else")
        self._scopes.append({})
        self._enter(inner)
        body = self._body(node.else_, inner)
        self._scopes.pop()
        return body

    def _target(self, node: nodes.Node, frame: Frame) -> str:
        if isinstance(node, nodes.Name):
            reference = frame.symbols.ref(node.name)
            if reference in self._scopes[-1]:
                raise Unsupported  # twice in one target
            return f"Target({self._declare(reference)})"
        if isinstance(node, nodes.Tuple) and node.items:
            parts = _tuple(self._target(each, frame) for each in node.items)
            return f"Target(-1, {parts}, unpacker({len(node.items)}))"
        raise Unsupported

    # ----------------------------------------------------------------------------------------------- expressions

    def _expression(self, node: nodes.Node, frame: Frame) -> str:
        """Return the expression that makes the compiled form of an expression of a template."""
        optimizer = self.generator.optimizer
        if optimizer is not None and isinstance(node, _FOLDED):
            node = optimizer.visit(node, frame.eval_ctx)
        return self._unfolded(node, frame)

    def _unfolded(self, node: nodes.Node, frame: Frame) -> str:
        build = _BUILDERS.get(type(node))
        if build is None:
            raise Unsupported
        return build(self, node, frame)

    def _name(self, node: nodes.Name, frame: Frame) -> str:
        if node.ctx != "load" or self.generator.has_open_parameters():
            raise Unsupported
        return f"Local({self._slot(frame.symbols.ref(node.name))}, {node.name!r})"

    def _constant(self, node: nodes.Const, _frame: Frame) -> str:
        return _constant(node.value)

    def _data(self, node: nodes.TemplateData, frame: Frame) -> str:
        return _constant(node.as_const(frame.eval_ctx))

    def _attribute(self, node: nodes.Getattr, frame: Frame) -> str:
        return f"Attribute({self._unfolded(node.node, frame)}, {node.attr!r})"

    def _item(self, node: nodes.Getitem, frame: Frame) -> str:
        owner = self._unfolded(node.node, frame)
        return f"Item({owner}, {self._unfolded(node.arg, frame)})"

    def _collection(self, node: nodes.Tuple | nodes.List, frame: Frame) -> str:
        kind = "tuple" if isinstance(node, nodes.Tuple) else "list"
        return f"Collection({', '.join([kind, *(self._expression(each, frame) for each in node.items)])})"

    def _mapping(self, node: nodes.Dict, frame: Frame) -> str:
        keys = [self._expression(each.key, frame) for each in node.items]
        return f"Mapping({_tuple(keys)}, {_tuple(self._expression(each.value, frame) for each in node.items)})"

    def _binary(self, node: nodes.BinExpr, frame: Frame) -> str:
        left = self._unfolded(node.left, frame)
        return f"Binary({node.operator!r}, {left}, {self._unfolded(node.right, frame)})"

    def _unary(self, node: nodes.UnaryExpr, frame: Frame) -> str:
        return f"Unary({node.operator!r}, {self._unfolded(node.node, frame)})"

    def _compare(self, node: nodes.Compare, frame: Frame) -> str:
        first = self._unfolded(node.expr, frame)
        others = _tuple(self._unfolded(each.expr, frame) for each in node.ops)
        return f"Compare({first}, {tuple(each.op for each in node.ops)!r}, {others})"

    def _concatenation(self, node: nodes.Concat, frame: Frame) -> str:
        parts = [self._unfolded(each, frame) for each in node.nodes]
        return f"Concatenation({', '.join([repr(bool(frame.eval_ctx.autoescape)), *parts])})"

    def _conditional(self, node: nodes.CondExpr, frame: Frame) -> str:
        frame = frame.soft()
        test, value = self._unfolded(node.test, frame), self._unfolded(node.expr1, frame)
        if node.expr2 is not None:
            return f"Conditional({test}, {value}, {self._unfolded(node.expr2, frame)})"
        hint = (
            f"the inline if-expression on {self.generator.position(node)} evaluated to false and no else section was "
            "defined."
        )
        return f"Conditional({test}, {value}, None, {hint!r})"

    def _call(self, node: nodes.Call, frame: Frame) -> str:
        if self.generator.passes_variables(frame):
            raise Unsupported
        return f"Call({self._unfolded(node.node, frame)}{self._arguments(node, frame)})"

    def _filter(self, node: nodes.Filter | nodes.Test, frame: Frame) -> str:
        kind = "filters" if isinstance(node, nodes.Filter) else "tests"
        function = getattr(self.generator.environment, kind).get(node.name)
        if node.node is None or (function is None and not frame.soft_frame):
            raise Unsupported
        first = _FIRST_ARGUMENTS[_PassArg.from_obj(function)]
        value = self._unfolded(node.node, frame)
        return f"Filter({kind!r}, {node.name!r}, {first!r}, {value}{self._arguments(node, frame)})"

    def _arguments(self, node: nodes.Call | nodes.Filter | nodes.Test, frame: Frame) -> str:
        names = [each.key for each in node.kwargs]
        if node.dyn_args is not None or node.dyn_kwargs is not None or len(set(names)) < len(names):
            raise Unsupported
        if not node.args and not names:
            return ""
        arguments = _tuple(self._unfolded(each, frame) for each in node.args)
        if not names:
            return f", {arguments}"
        return f", {arguments}, {tuple(names)!r}, {_tuple(self._unfolded(each.value, frame) for each in node.kwargs)}"

    def _marked(self, node: nodes.MarkSafe | nodes.MarkSafeIfAutoescape, frame: Frame) -> str:
        return f"Marked({self._expression(node.expr, frame)}, {isinstance(node, nodes.MarkSafe)})"


def _tuple(parts: Iterable[str]) -> str:
    joined = ", ".join(parts)
    return f"({joined},)" if joined else "()"


def _constant(value: Any) -> str:
    """Return the expression for a constant. A list and a dict are made anew each time."""
    kind = type(value)
    if value is None or kind in (str, int, bool, Markup) or (kind is float and repr(value)[-1].isdigit()):
        return f"Constant({value!r})"
    if kind in (tuple, list):
        return f"Collection({', '.join([kind.__name__, *map(_constant, value)])})"
    if kind is dict:
        return f"Mapping({_tuple(map(_constant, value))}, {_tuple(map(_constant, value.values()))})"
    raise Unsupported


_BUILDERS: dict[type[nodes.Node], Callable[[PlanBuilder, Any, Frame], str]] = {
    nodes.Name: PlanBuilder._name,
    nodes.Const: PlanBuilder._constant,
    nodes.TemplateData: PlanBuilder._data,
    nodes.Getattr: PlanBuilder._attribute,
    nodes.Getitem: PlanBuilder._item,
    nodes.Call: PlanBuilder._call,
    nodes.Filter: PlanBuilder._filter,
    nodes.Test: PlanBuilder._filter,
    nodes.Tuple: PlanBuilder._collection,
    nodes.List: PlanBuilder._collection,
    nodes.Dict: PlanBuilder._mapping,
    **dict.fromkeys(nodes.BinExpr.__subclasses__(), PlanBuilder._binary),
    **dict.fromkeys(nodes.UnaryExpr.__subclasses__(), PlanBuilder._unary),
    nodes.Compare: PlanBuilder._compare,
    nodes.Concat: PlanBuilder._concatenation,
    nodes.CondExpr: PlanBuilder._conditional,
    nodes.MarkSafe: PlanBuilder._marked,
    nodes.MarkSafeIfAutoescape: PlanBuilder._marked,
}
