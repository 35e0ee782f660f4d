"""Runs the blocks of a page in a folder of its own, and holds what they show against what comes out.

In Python a comment says what an expression is worth, at its end or on the lines below, or that a statement fails::

    url_for("user", name="ada")  # -> "/users/ada"
    Route("users", show)  # raises StartupError: a path starts with '/'

The comment is Python too: its value is compared; if it is none (``<Response 200>``), the text of the value is.
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
    """The documentation says one thing, and the code does another."""


class Page:
    """What the blocks of a page share: names, and a folder that is the current one.

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
        """Run one block, or write it down if it is a file. :raises WrongExample: if it is not as it says."""
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
            raise WrongExample(f"{block}: there is no way to run {block.language!r}")

    def finish(self) -> None:
        """Run the tests that the page shows and never ran."""
        if self._untested:
            self.console.run("python -m pytest -q " + " ".join(self._untested))

    # ------------------------------------------------------------------------------------------------------ Python

    def _execute(self, block: Block) -> None:
        path = str(self.console.folder / "page.py")
        source = "\n" * (block.line - 1) + block.text
        linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
        sys.modules["page"] = self._module  # where dataclasses look for the names of their annotations
        code = compile(_with_checks(block, source), path, "exec")
        self._names.update(__file__=path, _result=_result, _fails=_fails, _block=block, _names=self._names)
        exec(code, self._names)

    def _converse(self, block: Block) -> None:
        """A conversation with ``>>>``: the checks are those of doctest."""
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
        if _promises(block):
            raise WrongExample(f"{block}: results are checked in blocks without a title only")
        if path.name.startswith("test_") or path.name == "conftest.py":
            self._untested += [name] if path.name.startswith("test_") else []
            return
        forget_modules(self.folder)
        sys.path[0] = str(self.console.folder)
        module = importlib.import_module(name.removesuffix(".py").replace("/", ".").removesuffix(".__init__"))
        self._names.update({key: value for key, value in vars(module).items() if not key.startswith("__")})

    def _command(self, block: Block) -> None:
        with self.console.conversation() as conversation:
            for command, shown in _commands(block.text):
                reason = conversation.reason_against(command)
                if reason is not None:
                    self.skipped.append((block, reason))
                    continue
                if command.startswith(("pytest", "python -m pytest")):
                    self._untested.clear()
                said = conversation.run(command)
                if shown.strip() and not doctest.OutputChecker().check_output(
                    shown, said, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
                ):
                    raise WrongExample(f"{block}: $ {command}\n--- shown\n{shown}\n--- said\n{said}")


def forget_modules(folder: Path) -> None:
    """Modules below a folder will be read again when they are next imported."""
    importlib.invalidate_caches()
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "/").is_relative_to(folder):
            del sys.modules[name]


def _commands(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block, each with what it is shown to say."""
    for part in ("\n" + text).split("\n$ ")[1:]:
        command, _, shown = part.partition("\n")
        yield command.strip(), shown


# -------------------------------------------------------------------------------------------------- promised results


def _promises(block: Block) -> dict[int, tuple[str, str]]:
    """The comments that promise something: by line, the kind (``->`` or ``raises``) and the text."""
    found: dict[int, tuple[str, str]] = {}
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(block.text).readline):
        if token.type != tokenize.COMMENT:
            continue
        line, text = token.start[0], token.string.removeprefix("#")
        for kind in ("->", "raises"):
            if text.strip().startswith(f"{kind} "):
                alone = token.line.lstrip().startswith("#")  # then it is about what ends on the line above
                found[line - alone], last = (kind, text.strip().removeprefix(kind).strip()), line
                break
        else:
            if last == line - 1 and text.startswith("    "):  # goes on with what the line above promised
                first = max(found)
                found[first] = (found[first][0], f"{found[first][1]} {text.strip()}")
                last = line
    return found


def _with_checks(block: Block, source: str) -> ast.Module:
    """The code, with each promise turned into a check."""
    offset = block.line - 1
    promises = {line + offset: promise for line, promise in _promises(block).items()}
    checker = _Checks(promises)
    tree = checker.visit(ast.parse(source))
    if promises:
        raise WrongExample(f"{block.page}:{min(promises)}: this promise belongs to no expression")
    return ast.fix_missing_locations(tree)


class _Checks(ast.NodeTransformer):
    """Takes each promise from the dict that it is given and puts a check into the code."""

    def __init__(self, promises: dict[int, tuple[str, str]]) -> None:
        self._promises = promises

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if not isinstance(node, ast.stmt) or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.With):
            return node
        line = node.end_lineno or node.lineno
        kind, text = self._promises.get(line, ("", ""))
        if kind == "->" and isinstance(node, ast.Expr):
            del self._promises[line]
            check = ast.parse(f"_result(None, {text!r}, {line}, _block, _names)", mode="eval").body
            assert isinstance(check, ast.Call)
            check.args[0] = node.value
            return ast.copy_location(ast.Expr(check), node)
        if kind == "raises":
            del self._promises[line]
            block = ast.parse(f"with _fails({text!r}, {line}, _block): pass").body[0]
            assert isinstance(block, ast.With)
            block.body = [node]
            return ast.copy_location(block, node)
        return node


def _result(value: Any, promised: str, line: int, block: Block, names: dict[str, Any]) -> None:
    try:
        right = value == eval(promised, names)
    except Exception:
        right = promised in (repr(value), str(value))
    if not right:
        raise WrongExample(f"{block.page}:{line}: promised {promised}, got {value!r}")


@contextmanager
def _expecting(promised: str, line: int, block: Block) -> Iterator[None]:
    kind, _, words = promised.partition(":")
    try:
        yield
    except Exception as error:
        if type(error).__name__ != kind.strip() or words.strip() not in str(error):
            raise WrongExample(f"{block.page}:{line}: promised {promised}, got {error!r}") from error
    else:
        raise WrongExample(f"{block.page}:{line}: promised {promised}, and nothing was raised")


def _fails(promised: str, line: int, block: Block) -> AbstractContextManager[None]:
    return _expecting(promised, line, block)
