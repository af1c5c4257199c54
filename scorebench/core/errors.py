"""What a user is told when the input is wrong: one line a mistake, all mistakes at once."""

import difflib
from collections.abc import Iterable

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


def unknown(what: str, given: object, known: Iterable[str]) -> str:
    """The line for a name that is not in a list of names; of a long list the nearest."""
    names = sorted(known)
    close = difflib.get_close_matches(str(given).lower(), names, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    if len(names) > SHOWN:
        near = difflib.get_close_matches(str(given).lower(), names, n=5, cutoff=0.0)
        names = [*near, f"and {len(names) - len(near)} more"]
    return f"{what} {given!r} is unknown{hint} (known: {', '.join(names) or 'none'})"
