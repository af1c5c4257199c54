"""What a user is told when the input is wrong: one line a mistake, all mistakes at once."""

import difflib
import errno
from collections.abc import Iterable
from typing import TypeGuard

SHOWN = 24


class InputError(Exception):
    """Wrong input; `lines` names for each mistake the key, the value, what is allowed and the nearest match."""

    def __init__(self, *lines: str) -> None:
        self.lines = tuple(" ".join(line.splitlines()) for line in lines)  # what was given may have line ends in it
        super().__init__("\n".join(self.lines))


class NotApplicable(Exception):
    """What was asked for does not exist for this source or target; the message, one line, says why."""

    def __init__(self, why: str = "") -> None:
        super().__init__(" ".join(why.split()))


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
    close = difflib.get_close_matches(str(given).lower(), names, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    if len(names) > SHOWN:
        near = difflib.get_close_matches(str(given).lower(), names, n=5, cutoff=0.0)
        names = [*near, f"and {len(names) - len(near)} more"]
    return f"{what} {given!r} is unknown{hint} (known: {', '.join(names) or 'none'})"
