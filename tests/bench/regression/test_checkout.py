"""The worktree of the base: temporary, and removed however the block is left."""

from __future__ import annotations

import subprocess

import pytest

from bench.regression import checkout


def git(folder, *words):
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    return subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "repository"
    (root / "atlas/_speedups").mkdir(parents=True)
    (root / "setup.py").write_text("raise SystemExit('it cannot be compiled')\n")
    (root / "atlas/_speedups/core.pyx").write_text("x = 1\n")
    (root / ".gitignore").write_text("*.so\n")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    (root / "atlas/_speedups/core.so").write_bytes(b"compiled")
    return root


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, SystemExit])
def test_the_worktree_is_removed(repository, tmp_path, error):
    commit = checkout.resolve(repository, "main")
    try:
        with checkout.worktree(repository, commit, tmp_path / "base") as base:
            assert (base / "atlas/_speedups/core.pyx").exists()
            (base / "left behind").touch()
            if error:
                raise error
    except (KeyboardInterrupt, SystemExit):
        assert error
    assert not (tmp_path / "base").exists()
    assert len(git(repository, "worktree", "list").splitlines()) == 1


@pytest.mark.parametrize("revision", ["nothing", "main~1", "--all"])
def test_an_unknown_commit_is_named(repository, revision):
    with pytest.raises(checkout.CheckoutFailed):
        checkout.resolve(repository, revision)


def test_modules_of_the_same_source_are_copied(repository, tmp_path):
    with checkout.worktree(repository, checkout.resolve(repository, "main"), tmp_path / "base") as base:
        assert checkout.build_base(repository, "HEAD", base)
        assert (base / "atlas/_speedups/core.so").read_bytes() == b"compiled"


@pytest.mark.parametrize("name", ["core.pyx", "new.pyx"])
def test_modules_of_another_source_are_compiled(repository, tmp_path, name):
    (repository / "atlas/_speedups" / name).write_text("x = 2\n")
    with (
        checkout.worktree(repository, checkout.resolve(repository, "main"), tmp_path / "base") as base,
        pytest.raises(checkout.CheckoutFailed, match="it cannot be compiled"),
    ):
        checkout.build_base(repository, "HEAD", base)
