"""Whatever is written: specs read back as themselves, and a text that is no spec or no suite is told in lines. All exact."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import values
from hypothesis import given, settings
from hypothesis import strategies as st

from scorebench.core import registry
from scorebench.core.errors import InputError
from scorebench.core.options import LARGEST, SMALLEST
from scorebench.core.spec import Spec, parse
from scorebench.suite.config import Suite
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load

SMOKE = Path("workflows/suites/smoke.yaml").read_text(encoding="utf-8")
MORE = """
  - target: two_moons
    seeds: 2
    exact:
      samplers: [underdamped, hmc, parallel_tempering]
      grid: {friction: [0.5, 2], leapfrog_steps: [1, 3], temperatures: [[1, 2], 1|3|9]}
      step_sizes: [0.1]
sensitivity: {target: gaussian_mixture, chains: 32, repeats: 20}
snapshots: [mmd]
job_minutes: 1.5
device: cpu
"""
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


# Suites.

ODD = [
    None,
    True,
    0,
    -1,
    3,
    1.5,
    float("nan"),
    float("inf"),
    10**30,
    "",
    "x",
    "ula",
    "gaussian",
    "a\nb",
    [],
    [[]],
    {},
    {"a": 1},
    {1: 2},
    [None],
    ["ula", "ula"],
    [1, 1],
]


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where a mutation can be: every key and item."""
    inner = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    return [place for key, item in inner for place in [(*at, key), *places(item, (*at, key))]]


@st.composite
def mutants(draw: st.DrawFn) -> dict[str, Any]:
    """The smoke suite with one to three keys or items dropped, put twice, called otherwise, or replaced by what they should not be."""
    suite = copy.deepcopy(yaml.safe_load(SMOKE + MORE))
    for _ in range(draw(st.integers(1, 3))):
        *above, key = draw(st.sampled_from(places(suite)))
        parent = suite
        for step in above:
            parent = parent[step]
        change = draw(st.sampled_from(["drop", "twice", "rename", "replace", "replace"]))
        if change == "drop":
            del parent[key]
        elif change == "twice" and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
        elif change == "rename" and isinstance(parent, dict):
            parent[draw(st.sampled_from(["seeds", "target", "losses", "exact", "quadratic", "x", 3, None, ""]))] = parent.pop(key)
        else:
            parent[key] = copy.deepcopy(draw(st.sampled_from(ODD)))
        if not places(suite):
            break
    return suite


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("suites") / "suite.yaml"


def suite_or_lines(path: Path, text: str) -> bool:
    """Whether a text is a suite, whose jobs can then be listed with their files; else it is told in lines that name the file."""
    path.write_text(text, encoding="utf-8")
    try:
        suite = load(path)
    except InputError as error:
        assert_lines(error, f"{path}: ")
        return False
    assert isinstance(suite, Suite)
    plan = Plan(suite)
    for stage in ("train", "sample", "measure", "work", "map", "sensitivity", "claim", "tables", "figure", "page"):
        files = [file for job in plan.jobs(stage) for file in plan.outputs(stage, job)]
        assert len(files) == len(set(files)) and all(isinstance(plan.inputs(stage, job), list) for job in plan.jobs(stage))
    return True


def test_a_mutant_is_a_suite_or_says_why_not(path: Path) -> None:
    outcomes = []

    @settings(max_examples=250, deadline=None, derandomize=True)
    @given(mutants())
    def told(suite: dict[str, Any]) -> None:
        outcomes.append(suite_or_lines(path, yaml.safe_dump(suite, allow_unicode=True)))

    told()
    assert {True, False} == set(outcomes)  # both happen


def test_a_text_with_lines_lost_or_twice_is_a_suite_or_says_why_not(path: Path) -> None:
    lines = (SMOKE + MORE).splitlines()

    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(st.lists(st.tuples(st.integers(0, len(lines) - 1), st.sampled_from(["drop", "twice", "cut", "tab"])), min_size=1, max_size=3))
    def told(edits: list[tuple[int, str]]) -> None:
        text = list(lines)
        for number, edit in edits:
            line = text[number]
            text[number] = {"drop": "", "twice": f"{line}\n{line}", "cut": line[: len(line) // 2], "tab": "\t" + line}[edit]
        suite_or_lines(path, "\n".join(text))

    told()
    assert suite_or_lines(path, SMOKE + MORE)
