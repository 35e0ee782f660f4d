"""Writes the Python code of a template: functions that append to a list, around plans that run compiled.

What defines something (blocks, macros, ``set``, imports) is Python, written by the code generator of Jinja2 where this
one says nothing else. What only prints, decides and repeats is a plan; see :mod:`atlas.templates.plans`.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import contextmanager
from typing import Any

import jinja2
from jinja2 import compiler, nodes
from jinja2.compiler import CompilerExit, Frame, MacroRef, find_undeclared, optimizeconst
from jinja2.filters import FILTERS
from jinja2.idtracking import VAR_LOAD_RESOLVE
from jinja2.optimizer import Optimizer
from jinja2.tests import TESTS

from atlas.templates.plans import PlanBuilder

__all__ = ["CodeGenerator"]

_OUT = "out"  # the list that the function of a template or block appends to
_PLANNED = (nodes.Output, nodes.If, nodes.For)


class _FunctionExpressions(dict[str, str]):
    """The expression for each filter or test."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __missing__(self, name: str) -> str:
        return f"find_function(environment, {self._kind!r}, {name!r})"


class _Optimizer(Optimizer):
    """Replaces expressions by constants, and notes if functions of the program took part."""

    def __init__(self, environment: jinja2.Environment) -> None:
        super().__init__(environment)
        self.used_own_functions = False

    def generic_visit(self, node: nodes.Node, *arguments: Any, **options: Any) -> nodes.Node:
        is_own = isinstance(node, (nodes.Filter, nodes.Test)) and self.is_own(node)
        result = super().generic_visit(node, *arguments, **options)
        self.used_own_functions = self.used_own_functions or (is_own and isinstance(result, nodes.Const))
        return result

    def is_own(self, node: nodes.Node) -> bool:
        """Return whether a filter or test is not one of Jinja2's."""
        assert self.environment is not None
        kind, default = ("filters", FILTERS) if isinstance(node, nodes.Filter) else ("tests", TESTS)
        name = str(getattr(node, "name", ""))
        return getattr(self.environment, kind).get(name) is not default.get(name)


class CodeGenerator(compiler.CodeGenerator):
    """The code generator of environments whose templates are compiled here; the parameters are those of Jinja2."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.filters = _FunctionExpressions("filters")
        self.tests = _FunctionExpressions("tests")
        self._plans: list[str] = []
        self._function = "root"  # the one that is written, for tracebacks
        self._sets_variables = False  # whether a loop or block around the place sets variables
        self._has_extends = False
        self._folding = _Optimizer(self.environment)
        if self.optimizer is not None:
            self.optimizer = self._folding

    # ------------------------------------------------------------------------------------------- for the plans

    def finalizing(self) -> tuple[bool, bool]:
        """Return whether values are changed before they are printed, and whether text and numbers are not."""
        source = self._make_finalize().src
        return source is not None, bool(getattr(self.environment, "finalize_keeps_plain", False))

    def constant_output(self, node: nodes.Expr, frame: Frame) -> str | None:
        """Return the text of a printed expression that is constant; None for another one."""
        finalize = self._make_finalize()
        if not (finalize.const or isinstance(node, nodes.TemplateData)):
            return None
        try:
            text = str(self._output_child_to_const(node, frame, finalize))
        except Exception:
            return None  # it is raised again when the template is rendered
        if not isinstance(node, nodes.TemplateData):
            own = any(self._folding.is_own(each) for each in node.find_all((nodes.Filter, nodes.Test)))
            is_final = self.finalizing() == (True, False)
            self._folding.used_own_functions = self._folding.used_own_functions or own or is_final
            if isinstance(node, (nodes.Filter, nodes.Test)) and self._folding.is_own(node):
                self._folding.used_own_functions = True
        return text

    def passes_variables(self, frame: Frame) -> bool:
        """Return whether a call passes the variables that were set in the loop or block."""
        if not (frame.loop_frame or frame.block_frame) or getattr(frame, "is_planned", False):
            return False
        return self._sets_variables

    def has_open_parameters(self) -> bool:
        """Return whether the defaults of a macro are written, which may name parameters without a value."""
        return bool(self._param_def_block)

    # ----------------------------------------------------------------------------------------------- functions

    def visit_Template(self, node: nodes.Template, frame: Frame | None = None) -> None:  # noqa: N802  # Jinja2's
        assert frame is None, "no root frame allowed"
        evaluation = nodes.EvalContext(self.environment, self.name)
        found = list(node.find_all((nodes.Extends, nodes.Block, nodes.ImportedName)))
        self._has_extends = any(isinstance(each, nodes.Extends) for each in found)
        self._collect_blocks(found)
        self.writeline("from atlas.templates.runtime import *")
        self._write_imports(found)
        self.writeline(f"name = {self.name!r}")
        self._write_root(node, Frame(evaluation))
        for name, block in self.blocks.items():
            self._write_block(name, block, Frame(evaluation))
        for number, plan in enumerate(self._plans):
            self.writeline(f"plan_{number} = {plan}")
        blocks = ", ".join(f"{name!r}: block_{name}" for name in self.blocks)
        self.writeline(f"blocks = {{{blocks}}}", extra=1)
        if self._folding.used_own_functions:
            self.writeline("is_specific = True")  # to this program: it is not kept on the disk
        lines = "&".join(f"{line}={code_line}" for line, code_line in self.debug_info)
        self.writeline(f"debug_info = {lines!r}")

    def _collect_blocks(self, found: list[Any]) -> None:
        for block in found:
            if not isinstance(block, nodes.Block):
                continue
            if block.name in self.blocks:
                self.fail(f"block {block.name!r} defined twice", block.lineno)
            self.blocks[block.name] = block

    def _write_imports(self, found: list[Any]) -> None:
        """Import what extensions refer to."""
        for each in found:
            if not isinstance(each, nodes.ImportedName) or each.importname in self.import_aliases:
                continue
            name = each.importname
            self.import_aliases[name] = alias = self.temporary_identifier()
            module, dot, attribute = name.rpartition(".")
            self.writeline(f"from {module} import {attribute} as {alias}" if dot else f"import {name} as {alias}")

    @contextmanager
    def _render_function(self, name: str, frame: Frame, node: nodes.Node | None = None) -> Any:
        self._function = name
        frame.buffer = _OUT
        self.writeline(f"def {name}(context, {_OUT}):", node, 1)
        self.indent()
        self.writeline("undefined = environment.undefined")
        self.writeline("concat = environment.concat")
        self.writeline("cond_expr_undefined = Undefined")
        yield
        self.outdent()
        self.writeline(f"{name} = RenderFunction({name})")

    def _write_root(self, node: nodes.Template, frame: Frame) -> None:
        with self._render_function("root", frame):
            if "self" in find_undeclared(node.body, ("self",)):
                self.writeline(f"{frame.symbols.declare_parameter('self')} = TemplateReference(context)")
            frame.symbols.analyze_node(node)
            frame.toplevel = frame.rootlevel = True
            frame.require_output_check = self._has_extends
            if self._has_extends:
                self.writeline("parent_template = None")
            self.enter_frame(frame)
            self.blockvisit(node.body, frame)
            if self._has_extends:
                if not self.has_known_extends:
                    self.writeline("if parent_template is not None:")
                    self.indent()
                self.writeline(f"render_template(parent_template, context, {_OUT})")
                self.outdent(0 if self.has_known_extends else 1)

    def _write_block(self, name: str, block: nodes.Block, frame: Frame) -> None:
        frame.block_frame = True
        frame.block = name
        function = f"block_{name}"
        with self._render_function(function, frame, block), self._variables_set_in(block):
            undeclared = find_undeclared(block.body, ("self", "super"))
            if "self" in undeclared:
                self.writeline(f"{frame.symbols.declare_parameter('self')} = TemplateReference(context)")
            if "super" in undeclared:
                self.writeline(f"{frame.symbols.declare_parameter('super')} = context.super({name!r}, {function})")
            frame.symbols.analyze_node(block)
            self.writeline("_block_vars = {}")
            self.enter_frame(frame)
            self.blockvisit(block.body, frame)

    @contextmanager
    def _variables_set_in(self, node: nodes.Node) -> Any:
        """While a loop or block is written: note whether it sets variables."""
        before = self._sets_variables
        sets = next(node.find_all((nodes.Assign, nodes.AssignBlock)), None) is not None
        self._sets_variables = before or sets
        yield
        self._sets_variables = before

    def pull_dependencies(self, nodes: Iterable[nodes.Node]) -> None:
        """Write nothing: filters and tests are looked up where they are used."""

    def enter_frame(self, frame: Frame) -> None:
        """Look up the variables of a scope."""
        loads = frame.symbols.loads
        found = {target: name for target, (action, name) in loads.items() if action == VAR_LOAD_RESOLVE}
        if not found or self.get_context_ref() != "context":
            super().enter_frame(frame)
            return
        if len(found) == 1:
            target, name = next(iter(found.items()))
            self.writeline(f"{target} = resolve(context, {name!r})")
        else:
            self.writeline(f"{', '.join(found)} = resolve_all(context, {tuple(found.values())!r})")
        frame.symbols.loads = {target: load for target, load in loads.items() if target not in found}
        try:
            super().enter_frame(frame)
        finally:
            frame.symbols.loads = loads

    # ---------------------------------------------------------------------------------------------- statements

    def blockvisit(self, nodes: Iterable[nodes.Node], frame: Frame) -> None:
        """Write the statements of a body: those that can be planned in plans, the others in Python."""
        self.writeline("pass")
        plan = PlanBuilder(self, frame)
        first: Any = None
        try:
            for node in nodes:
                if self._may_plan(node, frame) and plan.add(node):
                    first = first or node
                    continue
                self._write_plan(plan, frame, first)
                plan, first = PlanBuilder(self, frame), None
                self.visit(node, frame)
            self._write_plan(plan, frame, first)
        except CompilerExit:
            pass  # nothing after it is executed

    def _may_plan(self, node: nodes.Node, frame: Frame) -> bool:
        if not isinstance(node, _PLANNED) or frame.buffer is None:
            return False
        if self._make_finalize().src not in (None, "environment.finalize("):
            return False  # it takes the context
        return not (frame.require_output_check or frame.eval_ctx.volatile or self.get_context_ref() != "context")

    def _write_plan(self, plan: PlanBuilder, frame: Frame, node: nodes.Node | None) -> None:
        if node is None:
            return
        if len(plan.statements) == 1 and plan.statements[0].startswith("Text("):
            self.writeline(f"{frame.buffer}.append({plan.statements[0][5:-1]})", node)
            return
        arguments = ", ".join(["context", str(frame.buffer), *plan.parameters])
        self.writeline(f"plan_{len(self._plans)}({arguments})", node)
        self._plans.append(plan.expression(self._function))
        if plan.last_line:
            # For what follows and has no line of its own, as in Jinja2's code.
            self.debug_info.append((plan.last_line, self.code_lineno + 1))
            self._last_line = plan.last_line

    def visit_Block(self, node: nodes.Block, frame: Frame) -> None:  # noqa: N802
        level = 0
        if frame.toplevel:
            if self.has_known_extends:
                return
            if self.extends_so_far > 0:
                self.writeline("if parent_template is None:")
                self.indent()
                level = 1
        if node.required:
            self.writeline(f"if len(context.blocks[{node.name!r}]) <= 1:", node)
            self.indent()
            message = f"Required block {node.name!r} not found"
            self.writeline(f"raise TemplateRuntimeError({message!r})", node)
            self.outdent()
        inner = self.derive_context(frame) if node.scoped else self.get_context_ref()
        arguments = f"context, {node.name!r}, {frame.buffer}"
        if inner != "context":
            arguments += f", {inner}"
        self.writeline(f"render_block({arguments})", node)
        self.outdent(level)

    def visit_Extends(self, node: nodes.Extends, frame: Frame) -> None:  # noqa: N802
        if not frame.toplevel:
            self.fail("cannot use extend from a non top-level scope", node.lineno)
        if self.extends_so_far > 0:
            if not self.has_known_extends:
                self.writeline("if parent_template is not None:")
                self.indent()
            self.writeline('raise TemplateRuntimeError("extended multiple times")')
            if self.has_known_extends:
                raise CompilerExit
            self.outdent()
        self.writeline("parent_template = load(environment, ", node)
        self.visit(node.template, frame)
        self.write(f", {self.name!r})")
        self.writeline("extend(context, parent_template)")
        self.has_known_extends = self.has_known_extends or frame.rootlevel
        self.extends_so_far += 1

    def visit_Include(self, node: nodes.Include, frame: Frame) -> None:  # noqa: N802
        if node.ignore_missing:
            self.writeline("try:")
            self.indent()
        method = _loader_method(node.template)
        call = "load(environment, " if method == "get_template" else f"environment.{method}("
        self.writeline(f"template = {call}", node)
        self.visit(node.template, frame)
        self.write(f", {self.name!r})")
        if node.ignore_missing:
            self.outdent()
            self.writeline("except TemplateNotFound:")
            self.indent()
            self.writeline("pass")
            self.outdent()
            self.writeline("else:")
            self.indent()
        if node.with_context:
            variables = self.dump_local_context(frame)
            self.writeline(f"render_included(template, context, {variables}, {frame.buffer})")
        else:
            self.writeline(f"{frame.buffer}.extend(template._get_default_module()._body_stream)")
        self.outdent(int(node.ignore_missing))

    def visit_For(self, node: nodes.For, frame: Frame) -> None:  # noqa: N802
        before = self._function
        with self._variables_set_in(node):
            self._function = "loop" if node.recursive else before
            super().visit_For(node, frame)
            self._function = before

    def visit_CallBlock(self, node: nodes.CallBlock, frame: Frame) -> None:  # noqa: N802
        if self.passes_variables(frame):
            super().visit_CallBlock(node, frame)
            return
        call_frame, reference = self.macro_body(node, frame)
        self.writeline("caller = ")
        self.macro_def(reference, call_frame)
        call = node.call
        if self.optimizer is not None and not frame.eval_ctx.volatile:
            call = self.optimizer.visit(call, frame.eval_ctx)
        self.writeline(f"print_call({frame.buffer}, context, ", node)
        self.visit(call.node, frame)
        self.signature(call, frame, {"caller": "caller"})
        self.write(")")

    # -------------------------------------------------------------------------------------------------- macros

    def macro_body(self, node: nodes.Macro | nodes.CallBlock, frame: Frame) -> tuple[Frame, MacroRef]:
        """Write the function of a macro or call block: its last argument is the list that it appends to."""
        frame = frame.inner()
        frame.symbols.analyze_node(node)
        reference = MacroRef(node)
        arguments = [frame.symbols.ref(each.name) for each in node.args]
        arguments += self._special_arguments(node, frame, reference)
        frame.require_output_check = False
        frame.symbols.analyze_node(node)
        frame.buffer = self.temporary_identifier()
        before, self._function = self._function, "macro"
        self.writeline(f"def macro({', '.join([*arguments, frame.buffer])}):", node)
        self.indent()
        self.enter_frame(frame)
        self._write_defaults(node, frame)
        self.blockvisit(node.body, frame)
        self.leave_frame(frame, with_python_scope=True)
        self.outdent()
        self._function = before
        return frame, reference

    def _special_arguments(self, node: nodes.Macro | nodes.CallBlock, frame: Frame, reference: MacroRef) -> list[str]:
        """Return the arguments that a body uses without declaring them: ``caller``, ``kwargs`` and ``varargs``."""
        declared = [each.name for each in node.args]
        used = find_undeclared(node.body, ("caller", "kwargs", "varargs"))
        arguments: list[str] = []
        if "caller" in used:
            reference.accesses_caller = True
            if "caller" not in declared:
                arguments.append(frame.symbols.declare_parameter("caller"))
            elif not _has_default(node, len(declared) - 1 - declared[::-1].index("caller")):
                self.fail(
                    'When defining macros or call blocks the special "caller" argument must be omitted or be given a '
                    "default.",
                    node.lineno,
                )
        for name in ("kwargs", "varargs"):
            if name in used and name not in declared:
                arguments.append(frame.symbols.declare_parameter(name))
                setattr(reference, f"accesses_{name}", True)
        return arguments

    def _write_defaults(self, node: nodes.Macro | nodes.CallBlock, frame: Frame) -> None:
        self.push_parameter_definitions(frame)
        for index, argument in enumerate(node.args):
            name = frame.symbols.ref(argument.name)
            self.writeline(f"if {name} is missing:")
            self.indent()
            if _has_default(node, index):
                self.writeline(f"{name} = ")
                self.visit(node.defaults[index - len(node.args)], frame)
            else:
                message = f"parameter {argument.name!r} was not provided"
                self.writeline(f"{name} = undefined({message!r}, name={argument.name!r})")
            self.mark_parameter_stored(name)
            self.outdent()
        self.pop_parameter_definitions()

    # --------------------------------------------------------------------------------------------- expressions

    @optimizeconst
    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:  # noqa: N802
        self.write("attribute(environment, ")
        self.visit(node.node, frame)
        self.write(f", {node.attr!r})")

    @optimizeconst
    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802
        is_slice = isinstance(node.arg, nodes.Slice)
        if not is_slice:
            self.write("item(environment, ")
        self.visit(node.node, frame)
        self.write("[" if is_slice else ", ")
        self.visit(node.arg, frame)
        self.write("]" if is_slice else ")")

    @optimizeconst
    def visit_Call(self, node: nodes.Call, frame: Frame, forward_caller: bool = False) -> None:  # noqa: N802
        if self.passes_variables(frame):
            super().visit_Call(node, frame, forward_caller=forward_caller)
            return
        self.write("call(context, ")
        self.visit(node.node, frame)
        self.signature(node, frame, {"caller": "caller"} if forward_caller else None)
        self.write(")")


def _has_default(node: nodes.Macro | nodes.CallBlock, index: int) -> bool:
    return len(node.args) - index <= len(node.defaults)


def _loader_method(template: nodes.Expr) -> str:
    """Return the method of the environment that loads an included template."""
    if isinstance(template, nodes.Const):
        if isinstance(template.value, str):
            return "get_template"
        if isinstance(template.value, (tuple, list)):
            return "select_template"
    elif isinstance(template, (nodes.Tuple, nodes.List)):
        return "select_template"
    return "get_or_select_template"
