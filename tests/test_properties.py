"""Whatever is written: specs read back as themselves, and a text that is no spec or no suite is told in lines. All exact."""

from typing import Any

import pytest
from conftest import values
from hypothesis import given, settings
from hypothesis import strategies as st

from scorebench.core import registry
from scorebench.core.errors import InputError
from scorebench.core.options import LARGEST, SMALLEST
from scorebench.core.spec import Spec, parse

KINDS = ("target", "model", "loss", "sampler", "metric")
POSITIVE = st.sampled_from([1.0, 11.0, 0.1, 1e-5, 0.30000000000000004, 1e16]) | st.floats(SMALLEST, LARGEST)
VALUES = {
    "bool": st.booleans(),
    "Real": POSITIVE | st.just(0.0) | POSITIVE.map(lambda value: -value),
    "Positive": POSITIVE,
    "NonNegative": POSITIVE | st.just(0.0),
    "Share": st.floats(1e-6, 1 - 1e-6),
    "Count": st.integers(1, 10**9),
    "Scale": st.floats(1e-18, 1e18),
    "Barrier": st.floats(1e-6, 1e6),
    "Blur": st.floats(0.01, 1e6),
    "Grain": st.floats(1e-6, 1e6),
    "Falling": st.lists(POSITIVE, min_size=2, max_size=4, unique=True).map(lambda levels: tuple(sorted(levels, reverse=True))),
    "File": st.text("aB.|=/ :-é1", min_size=1).map(str.strip).filter(bool),
    "Columns": st.lists(st.text("aB.= :é1", min_size=1).map(str.strip).filter(bool), min_size=1, unique=True).map(tuple),
    "Rising": st.lists(st.floats(0.1, 5), min_size=1, max_size=3).map(
        lambda rises: tuple(round(1 + sum(rises[:n]), 3) for n in range(len(rises) + 1))
    ),
    "None": st.none(),
}


@st.composite
def specs(draw: st.DrawFn, kind: str) -> Spec:
    """A method with some of its options, those at their defaults left out, and those that do nothing."""
    name = draw(st.sampled_from(registry.names(kind)))
    entry = registry.entry(kind, name)
    options = entry.options
    asked = {
        key: draw(values(option, VALUES)) for key, option in options.items() if option.default is registry.REQUIRED or draw(st.booleans())
    }
    for key, at in entry.facts.get("IGNORED", {}).items():
        if all(asked.get(k) == v for k, v in at.items()):
            asked.pop(key, None)
    return Spec(kind, name, tuple((key, value) for key, value in asked.items() if value != options[key].default))


@pytest.mark.parametrize("kind", KINDS)
def test_specs_read_back(kind: str) -> None:
    """However its options are ordered and spaced."""

    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(specs(kind), st.randoms(use_true_random=False))
    def reads_back(spec: Spec, random: Any) -> None:
        assert parse(kind, str(spec)) == spec and hash(parse(kind, str(spec))) == hash(spec)
        name, colon, rest = str(spec).partition(":")
        items = rest.split(",") if colon else []
        random.shuffle(items)
        assert parse(kind, name + colon + " , ".join(item.replace("=", " = ", 1) for item in items)) == spec

    reads_back()


@pytest.mark.parametrize("kind", KINDS)
def test_different_specs_are_different_files(kind: str) -> None:
    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(st.lists(specs(kind), min_size=2, max_size=8))
    def differ(drawn: list[Spec]) -> None:
        slugs = {spec.slug: spec for spec in drawn}
        assert all(slugs[spec.slug] == spec for spec in drawn)
        assert all(slug and not slug.startswith(".") and "/" not in slug for slug in slugs)

    differ()


def assert_lines(error: InputError, start: str = "") -> None:
    """One line a mistake."""
    assert error.lines and all(line.startswith(start) and len(line.splitlines()) == 1 for line in error.lines), error.lines


SCRAPS = st.sampled_from(
    [
        ":",
        "=",
        ",",
        "|",
        "sigma",
        "sigmas",
        "dim",
        "probe",
        "1",
        "-1",
        "0",
        "1e999",
        "9" * 5_000,
        "nan",
        "null",
        "true",
        "[]",
        "{}",
        "!!x",
        "\n",
        "\0",
        "é",
        " ",
    ]
)
KNOWN = st.sampled_from([(kind, name) for kind in KINDS for name in registry.names(kind)])
BEGUN = st.sampled_from(
    [(kind, f"{name}:{key}=") for kind in KINDS for name in registry.names(kind) for key in registry.entry(kind, name).options]
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    BEGUN | KNOWN | st.tuples(st.sampled_from(KINDS), st.text(max_size=6)), st.lists(SCRAPS | st.text(max_size=4), max_size=8).map("".join)
)
def test_a_text_is_a_spec_or_says_why_not(start: tuple[str, str], rest: str) -> None:
    """Lines, and nothing but lines; what is taken reads back."""
    kind, text = start[0], start[1] + rest
    try:
        spec = parse(kind, text)
    except InputError as error:
        assert_lines(error)
        return
    assert parse(kind, str(spec)) == spec
