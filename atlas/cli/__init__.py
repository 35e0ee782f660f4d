"""Floor 5: the command line. It composes what the floors below offer, and owns no rules."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``atlas`` with ``arguments`` (those of the process) and leave with its exit status.

    0 is a stop that was asked for, 1 an application that can't be served, 2 a mistake on the command line or in a
    setting, 3 an application that refused to start.
    """
    import sys

    from atlas.cli.program import execute  # click is for those who run a command, not for those who import this

    sys.exit(execute(sys.argv[1:] if arguments is None else arguments))
