"""The command line. It composes the packages of the lower layers and owns no rules."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``atlas``, and exit with its status.

    The status is 0 after success or a requested stop, 1 if the application cannot be served, 2 for a mistake on the
    command line or in a setting, 3 if the application failed to start, 130 after Ctrl+C.

    :param arguments: the arguments without the name of the program; by default those of the process.
    """
    import sys

    from atlas.cli.program import execute  # imported here, so that importing atlas.cli does not import click

    sys.exit(execute(sys.argv[1:] if arguments is None else arguments, _end_process_after))


def _end_process_after(seconds: float) -> None:
    from atlas.server.process_end import end_process_after

    end_process_after(seconds)
