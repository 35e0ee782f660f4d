"""Regression runs: ``python -m bench.regression --base main~1`` compares the working tree with a commit.

* ``checkout`` builds the commit in a temporary worktree, and copies the benchmark files of the working tree.
* ``pytest_runs`` runs these files on both trees, in interleaved rounds on one core, and counts instructions.
* ``verdict`` decides from pytest-benchmark's JSON and from the counts. It starts no process.
* ``picture`` draws the result.
"""
