"""The two trees: the base commit, in a temporary git worktree, and the working tree, both compiled."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

BUILD = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
COMPILED = ["atlas/_speedups", "setup.py"]  # what decides about the compiled modules
NOT_COPIED = shutil.ignore_patterns("__pycache__", "results", ".benchmarks")


class CheckoutFailed(Exception):
    """A commit does not exist, or could not be checked out or compiled."""


def git(root: Path, *words: str) -> str:
    """Run git. Raises CheckoutFailed with its message."""
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise CheckoutFailed(f"git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


def resolve(root: Path, revision: str) -> str:
    """The commit of a revision. Raises CheckoutFailed if there is none."""
    return git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")


@contextlib.contextmanager
def worktree(root: Path, commit: str, folder: Path) -> Iterator[Path]:
    """Check a commit out into ``folder`` for the length of the block. Raises CheckoutFailed."""
    git(root, "worktree", "add", "--quiet", "--detach", str(folder), commit)
    try:
        yield folder
    finally:
        git(root, "worktree", "remove", "--force", str(folder))


def build(tree: Path) -> None:
    """Compile what is not up to date. Raises CheckoutFailed with the end of the output."""
    done = subprocess.run(BUILD, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise CheckoutFailed(f"{tree} could not be compiled:\n" + "\n".join(done.stdout.splitlines()[-20:]))


def build_base(root: Path, commit: str, base: Path) -> bool:
    """Compile the base, or copy the modules of the working tree where those of both have the same source.

    :returns: whether they were copied.
    """
    changed = git(root, "diff", "--name-only", commit, "--", *COMPILED)
    untracked = git(root, "ls-files", "--others", "--exclude-standard", "--", *COMPILED)
    if changed or untracked:
        build(base)
        return False
    for module in (root / "atlas").rglob("*.so"):
        shutil.copy2(module, base / module.relative_to(root))
    return True


def copy_benchmarks(root: Path, folder: Path) -> Path:
    """Copy the benchmark files, so that both trees run the same ones, from the same place.

    :returns: the folder that contains the package ``bench``.
    """
    shutil.copytree(root / "bench", folder / "bench", ignore=NOT_COPIED)
    return folder
