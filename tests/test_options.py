"""Every option of every method does something beside every other, or is refused there. Exact: the same random numbers, so that what differs is the option."""

import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from conftest import values
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scorebench.core import registry
from scorebench.core.errors import InputError
from scorebench.core.spec import Spec, parse
from scorebench.testing.examples import cached, stream
from scorebench.testing.options import OBSERVED, same

MODERATE = st.floats(-1, 1).map(lambda e: round(10**e, 3))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "Real": MODERATE,
    "Positive": MODERATE,
    "NonNegative": MODERATE,
    "Scale": MODERATE,
    "Barrier": MODERATE,
    "Blur": MODERATE,
    "Grain": MODERATE,
    "Share": st.integers(1, 100).map(lambda n: n / 101),
    "Count": st.integers(1, 5),
    "Falling": st.lists(MODERATE, min_size=2, max_size=3, unique=True).map(lambda levels: tuple(sorted(levels, reverse=True))),
    "Columns": st.lists(st.sampled_from("abc"), min_size=1, max_size=2, unique=True).map(tuple),
    "Rising": st.lists(st.floats(0.1, 5), min_size=1, max_size=3).map(
        lambda rises: tuple(round(1 + sum(rises[:n]), 3) for n in range(len(rises) + 1))
    ),
    "None": st.none(),
}


@cached
def files(name: str) -> list[str]:
    """Two files that a target or a model may be of."""
    folder = Path(tempfile.mkdtemp())
    for number in (1, 2):
        rows = 3 + number * torch.randn(300, 3, generator=stream("rows", number)).numpy()
        pd.DataFrame(rows, columns=list("abc")).to_csv(folder / f"table{number}.csv", index=False)
        text = f"dim = 1\ndef score(x): return -{number} * x\ndef sample(n, generator): return start(n, generator) / {number} ** .5\n"
        more = "import torch\ndef start(n, generator): return torch.randn(n, 1, generator=generator)\n"
        (folder / f"density{number}.py").write_text(text + more)
        (folder / f"network{number}.py").write_text(f"def score(x): return -{number} * x\n")
    return [str(path) for path in sorted(folder.glob(f"{name}*"))]


OPTIONS = [
    (kind, name, key)
    for kind in OBSERVED
    for name in registry.names(kind)
    for key in registry.entry(kind, name).options
    if "PEERS" not in registry.entry(kind, name).facts  # which another library does: tests of its own
]


@pytest.mark.parametrize(("kind", "name", "key"), OPTIONS)
def test_an_option_does_something_or_is_refused(kind, name, key):
    """At any values of the others; what is refused as doing nothing does nothing."""
    options = registry.entry(kind, name).options
    allowed = VALUES | {"File": st.sampled_from(files(name) or [""])}

    @settings(max_examples=15, deadline=None, derandomize=True)
    @given(st.fixed_dictionaries({k: values(o, allowed) for k, o in options.items()}), values(options[key], allowed))
    def differs(given: dict[str, Any], other: Any) -> None:
        assume(given[key] != other)
        each = [given | {key: value} for value in (given[key], other)]
        specs = [Spec(kind, name, tuple((k, v) for k, v in its.items() if v != options[k].default)) for its in each]
        try:
            alike = same(*map(OBSERVED[kind], specs))
        except InputError:
            return  # a combination that is refused when it is built
        try:
            for spec in specs:
                parse(kind, str(spec))
        except InputError as error:
            assert alike == any(f"option {key}=" in line for line in error.lines), error.lines
        else:
            assert not alike, specs

    differs()
