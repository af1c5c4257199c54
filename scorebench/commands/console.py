"""Where the command line's tables go."""

import sys

from rich.console import Console, JustifyMethod
from rich.table import Table

WIDE = 10_000
"""Columns of a pipe or a file: no line is broken, whatever the terminal."""


def console_for(width: int | None = None) -> Console:
    """The terminal as wide as it is; a pipe as wide as the text. What stands in brackets or between colons is text."""
    return Console(highlight=False, markup=False, emoji=False, width=width or (None if sys.stdout.isatty() else WIDE))


def table(*heads: str, justify: JustifyMethod = "left") -> Table:
    """An empty table in which nothing is cut: what is wider than its column goes on below."""
    empty = Table(box=None, header_style="bold", pad_edge=False)
    for head in heads:
        empty.add_column(head, justify=justify, overflow="fold")
    return empty


def progress(text: str, whole: bool) -> None:
    """Say on stderr what is being done: on a terminal in one line that is rewritten, gone with an empty text; elsewhere a line for each piece of the whole."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text[:NARROW]}", end="", file=sys.stderr, flush=True)
    elif whole:
        print(text, file=sys.stderr, flush=True)


NARROW = 79
"""A line that fits 80 columns, with the cursor."""
