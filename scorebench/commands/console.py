"""Where the command line's tables go."""

import sys

from rich.console import Console

WIDE = 10_000
"""Columns of a pipe or a file: no line is broken, whatever the terminal."""


def console_for() -> Console:
    """The terminal as wide as it is; a pipe as wide as the text."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
