"""What a user is told when the input is wrong: one line a mistake, all mistakes at once."""

import difflib
import errno
from collections.abc import Iterable
from typing import TypeGuard

SHOWN, LONG = 24, 80
LONGEST = 2_000
"""Characters of a line: of a longer one the middle is left out."""


class InputError(Exception):
    """Wrong input; `lines` names for each mistake the key, the value, what is allowed and the nearest match."""

    def __init__(self, *lines: str) -> None:
        self.lines = tuple(map(_one_line, lines))
        super().__init__("\n".join(self.lines))


class NotApplicable(Exception):
    """What was asked for does not exist for this source or target; the message, one line, says why."""

    def __init__(self, why: str = "") -> None:
        super().__init__(" ".join(why.split()))


def _one_line(text: str) -> str:
    """What was given may have line ends in it, no end, and what a terminal would obey."""
    line = " ".join(text.splitlines())
    if len(line) > LONGEST:
        line = f"{line[: LONGEST // 2]} ... {line[-LONGEST // 2 :]}"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


SURROUNDINGS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENFILE}
"""What the system says where no method is at fault: a disk that is full, read-only or broken, a system without free files."""


def of_surroundings(error: BaseException) -> TypeGuard[OSError]:
    """Whether it is of SURROUNDINGS."""
    return isinstance(error, OSError) and error.errno in SURROUNDINGS


def surroundings(error: OSError, path: object = "") -> InputError:
    """What a user is told where the system refuses: the file, why, and that nothing is lost."""
    where = str(path or error.filename or "")
    return InputError(f"{where}{': ' * bool(where)}{error.strerror or error}; mend that and run again: what is done is kept")


def unknown(what: str, given: object, known: Iterable[str]) -> str:
    """The line for a name that is not in a list of names; of a long list the nearest."""
    names = sorted(known)
    hint = nearest(given, names)
    if len(names) > SHOWN:
        near = difflib.get_close_matches(str(given).lower()[:LONG], names, n=5, cutoff=0.0)
        names = [*near, f"and {len(names) - len(near)} more"]
    return f"{what} {given!r} is unknown{hint} (known: {', '.join(names) or 'none'})"


def nearest(given: object, known: Iterable[str]) -> str:
    """The words that ask for the nearest of the names, where one is near, upper and lower case aside."""
    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(str(given).lower()[:LONG], names, n=1, cutoff=0.5)
    return f"; did you mean {names[near[0]]!r}?" if near else ""
