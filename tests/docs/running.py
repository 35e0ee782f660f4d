"""Runs the blocks of a page in a temporary folder, and compares the results with those in the page.

In Python a comment has the value of an expression, at its end or on the lines below, or the exception of a statement::

    url_for("user", name="ada")  # -> "/users/ada"
    Route("users", show)  # raises StartupError: a path starts with '/'

The comment is evaluated and compared with the value. If it is not Python (``<Response 200>``), it is compared with the
``repr`` and the ``str`` of the value.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import io
import linecache
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.docs.console import Console
from tests.docs.pages import Block

__all__ = ["Page", "WrongExample"]

_TEXTS = {"", "text", "http", "css", "html", "html+jinja", "ini", "nginx", "dockerfile", "javascript", "json", "yaml"}


class WrongExample(AssertionError):
    """Raised if the code does not do what the documentation shows."""


class Page:
    """Runs the blocks of a page, which share a namespace and the current folder.

    :ivar skipped: the blocks and commands that were not run, with the reasons.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.console = Console(folder)
        self.skipped: list[tuple[Block, str]] = []
        self._module = ModuleType("page")
        self._names: dict[str, Any] = vars(self._module)
        self._untested: list[str] = []

    def run(self, block: Block) -> None:
        """Run a block, or write it to its file.

        :raises WrongExample: if a result differs from that of the page.
        """
        if block.skip is not None:
            self.skipped.append((block, block.skip))
        elif block.file is not None:
            self._write(block, block.file)
        elif block.language == "python":
            self._execute(block)
        elif block.language == "pycon":
            self._converse(block)
        elif block.language == "console":
            self._command(block)
        elif block.language == "toml":
            tomllib.loads(block.text)
        elif block.language not in _TEXTS:
            raise WrongExample(f"{block}: unknown language {block.language!r}")

    def finish(self) -> None:
        """Run the tests of the page that no command of the page has run."""
        if self._untested:
            self.console.run("python -m pytest -q " + " ".join(self._untested))

    # ------------------------------------------------------------------------------------------------------ Python

    def _execute(self, block: Block) -> None:
        path = str(self.console.folder / "page.py")
        source = "\n" * (block.line - 1) + block.text
        linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
        sys.modules["page"] = self._module  # dataclasses look up annotations in this module
        code = compile(_with_checks(block, source), path, "exec")
        self._names.update(__file__=path, _result=_result, _fails=_fails, _block=block, _names=self._names)
        exec(code, self._names)

    def _converse(self, block: Block) -> None:
        """Run a session with ``>>>`` as doctest does."""
        test = doctest.DocTestParser().get_doctest(block.text, self._names, str(block), str(block.page), block.line)
        said = io.StringIO()
        options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        runner = doctest.DocTestRunner(optionflags=options)
        runner.run(test, out=said.write, clear_globs=False)
        self._names.update(test.globs)
        if runner.failures:
            raise WrongExample(said.getvalue())

    def _write(self, block: Block, name: str) -> None:
        path = self.console.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
        if path.suffix != ".py":
            return
        if _expected(block):
            raise WrongExample(f"{block}: a block with a file name cannot have expected results")
        if path.name.startswith("test_") or path.name == "conftest.py":
            self._untested += [name] if path.name.startswith("test_") else []
            return
        forget_modules(self.folder)
        sys.path[0] = str(self.console.folder)
        module = importlib.import_module(name.removesuffix(".py").replace("/", ".").removesuffix(".__init__"))
        self._names.update({key: value for key, value in vars(module).items() if not key.startswith("__")})

    def _command(self, block: Block) -> None:
        with self.console.block() as session:
            for command, shown in _commands(block.text):
                reason = session.reason_against(command)
                if reason is not None:
                    self.skipped.append((block, reason))
                    continue
                if command.startswith(("pytest", "python -m pytest")):
                    self._untested.clear()
                said = session.run(command)
                if shown.strip() and not doctest.OutputChecker().check_output(
                    shown, said, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
                ):
                    raise WrongExample(f"{block}: $ {command}\n--- shown\n{shown}\n--- said\n{said}")


def forget_modules(folder: Path) -> None:
    """Remove the modules of a folder from ``sys.modules``, so that the next import reads them again."""
    importlib.invalidate_caches()
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "/").is_relative_to(folder):
            del sys.modules[name]


def _commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield the commands of a console block, each with the output in the page."""
    for part in ("\n" + text).split("\n$ ")[1:]:
        command, _, shown = part.partition("\n")
        yield command.strip(), shown


# -------------------------------------------------------------------------------------------------- expected results


def _expected(block: Block) -> dict[int, tuple[str, str]]:
    """Return the comments with expected results: by line, the kind (``->`` or ``raises``) and the text."""
    found: dict[int, tuple[str, str]] = {}
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(block.text).readline):
        if token.type != tokenize.COMMENT:
            continue
        line, text = token.start[0], token.string.removeprefix("#")
        for kind in ("->", "raises"):
            if text.strip().startswith(f"{kind} "):
                alone = token.line.lstrip().startswith("#")  # then the statement ends on the line above
                found[line - alone], last = (kind, text.strip().removeprefix(kind).strip()), line
                break
        else:
            if last == line - 1 and text.startswith("    "):  # continues the comment above
                first = max(found)
                found[first] = (found[first][0], f"{found[first][1]} {text.strip()}")
                last = line
    return found


def _with_checks(block: Block, source: str) -> ast.Module:
    """Return the code, with a check for each expected result."""
    offset = block.line - 1
    expected = {line + offset: expectation for line, expectation in _expected(block).items()}
    checker = _Checks(expected)
    tree = checker.visit(ast.parse(source))
    if expected:
        raise WrongExample(f"{block.page}:{min(expected)}: this expected result belongs to no expression")
    return ast.fix_missing_locations(tree)


class _Checks(ast.NodeTransformer):
    """Adds a check for each expected result, and removes it from the dict."""

    def __init__(self, expected: dict[int, tuple[str, str]]) -> None:
        self._expected = expected

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if not isinstance(node, ast.stmt) or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.With):
            return node
        line = node.end_lineno or node.lineno
        kind, text = self._expected.get(line, ("", ""))
        if kind == "->" and isinstance(node, ast.Expr):
            del self._expected[line]
            check = ast.parse(f"_result(None, {text!r}, {line}, _block, _names)", mode="eval").body
            assert isinstance(check, ast.Call)
            check.args[0] = node.value
            return ast.copy_location(ast.Expr(check), node)
        if kind == "raises":
            del self._expected[line]
            block = ast.parse(f"with _fails({text!r}, {line}, _block): pass").body[0]
            assert isinstance(block, ast.With)
            block.body = [node]
            return ast.copy_location(block, node)
        return node


def _result(value: Any, expected: str, line: int, block: Block, names: dict[str, Any]) -> None:
    try:
        right = value == eval(expected, names)
    except Exception:
        right = expected in (repr(value), str(value))
    if not right:
        raise WrongExample(f"{block.page}:{line}: expected {expected}, got {value!r}")


@contextmanager
def _expecting(expected: str, line: int, block: Block) -> Iterator[None]:
    kind, _, words = expected.partition(":")
    try:
        yield
    except Exception as error:
        if type(error).__name__ != kind.strip() or words.strip() not in str(error):
            raise WrongExample(f"{block.page}:{line}: expected {expected}, got {error!r}") from error
    else:
        raise WrongExample(f"{block.page}:{line}: expected {expected}, and nothing was raised")


def _fails(expected: str, line: int, block: Block) -> AbstractContextManager[None]:
    return _expecting(expected, line, block)
