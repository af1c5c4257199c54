"""Suites that are wrong: each is refused within 2 s, with a line for every mistake in it that names key, value, what is allowed and the nearest match.

`malformed()` plants one mistake, or several at once, in a suite that is right, and says beforehand what words its line must have; other files are no suites at
all. `fuzzed()` changes the suites of the repository, or writes YAML at random: each text is planned or refused, with no traceback and no file written.

    python tests/faults/config.py          # all: 200 and more, and 2,000
"""

import copy
import itertools
import os
import random
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from scorebench.core.errors import InputError
from scorebench.suite.jobs import STAGES
from scorebench.suite.plan import Plan
from scorebench.suite.reading import load

ROOT = Path(__file__).parents[2]
SECONDS = 2.0
"""Of a processor, after imports: what else the machine does is no part of it."""
GOOD = """
name: good
seed: 1
metrics: [mmd, rhat, relative_fisher_divergence]
snapshots: [mmd]
figures: [loss_comparison]
claims: [step-size-bias]
device: cpu
job_minutes: 5
job_memory_mb: 2000
accuracy: {epsilon: 0.02, margin: 1.5, pilot: 80, final: 400}
sensitivity: {target: gaussian_mixture, chains: 64, repeats: 20}
experiments:
  - target: gaussian
    seeds: 3
    training: {size: 2000, sizes: [300], batch: 64, steps: [100, 300], sweep: {learning_rates: [0.01, 0.1], seeds: 2, steps: 50}}
    sources: {quadratic: ["denoising:sigma=0.25", sliced]}
    exact: {samplers: [ula, underdamped], step_sizes: [0.05, 0.2], temperatures: [1.0], grid: {friction: [1.0, 2.0]}, chains: 64, budgets: [50, 300]}
    trained: {samplers: [mala], losses: [sliced], step_sizes: [0.05], chains: 64, budgets: [50, 300]}
    work: {samplers: [hmc], step_sizes: [0.1], grid: {leapfrog_steps: [2, 4]}, budget: 200, pilot: 80, final: 400}
  - target: two_moons
    seeds: 2
    training: {size: 500, learning_rate: 0.01}
    exact: [{samplers: [mala], step_sizes: [0.01]}]
"""
ROOT_KEY, E = (), ("experiments", 0)
ODD: dict[str, Any] = {
    "nothing": None,
    "yes": True,
    "text": "xyzzy",
    "fraction": 1.5,
    "list": [],
    "mapping": {},
    "minus": -1,
    "huge": 10**30,
    "nan": float("nan"),
    "inf": float("inf"),
}
NO_NUMBER = ("nothing", "yes", "text", "list", "mapping", "minus", "nan", "inf")
WRONG = {  # what is not allowed of a key that holds ...
    "whole": (*NO_NUMBER, "fraction", "huge"),
    "number": NO_NUMBER,
    "list": ("nothing", "yes", "text", "fraction", "list", "mapping"),
    "mapping": ("nothing", "yes", "text", "fraction", "list"),
    "text": ("nothing", "yes", "fraction", "list", "mapping", "minus", "nan"),
}
KEYS: dict[tuple[Any, ...], dict[str, str]] = {  # what each key holds, written by hand and not read from what is tested
    ROOT_KEY: {
        "name": "text",
        "seed": "whole",
        "device": "text",
        "job_minutes": "number",
        "job_memory_mb": "number",
        "metrics": "list",
        "accuracy": "mapping",
        "experiments": "list",
    },
    ("accuracy",): {"epsilon": "number", "margin": "number", "pilot": "whole", "final": "whole"},
    ("sensitivity",): {"target": "text", "chains": "whole", "repeats": "whole"},
    E: {"target": "text", "seeds": "whole", "training": "mapping", "sources": "mapping"},
    (*E, "training"): {"size": "whole", "batch": "whole", "steps": "list"},
    (*E, "training", "sweep"): {"learning_rates": "list", "seeds": "whole", "steps": "whole"},
    (*E, "exact"): {
        "samplers": "list",
        "step_sizes": "list",
        "temperatures": "list",
        "chains": "whole",
        "budgets": "list",
        "grid": "mapping",
    },
    (*E, "work"): {"samplers": "list", "step_sizes": "list", "budget": "whole"},
}


class Mistake(NamedTuple):
    """A value put in place of another, and the words of the line that tells of it."""

    place: tuple[Any, ...]
    value: Any
    words: tuple[str, ...]


def shown(place: tuple[Any, ...]) -> str:
    """A place as lines name it."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")


def misspelt(word: str) -> str:
    """The word with its last two letters the other way round, or a letter more."""
    swapped = word[:-2] + word[-1] + word[-2]
    return swapped if swapped != word else word + word[-1]


def unknown_keys() -> Iterator[Mistake]:
    """Each key misspelt, beside the right one."""
    for above, keys in KEYS.items():
        for key in keys:
            wrong = misspelt(key)
            yield Mistake((*above, wrong), 1, (shown((*above, wrong)), repr(wrong), f"did you mean {key!r}", "known: "))


def wrong_types() -> Iterator[Mistake]:
    """Each key with what it cannot hold."""
    for above, keys in KEYS.items():
        for key, holds in keys.items():
            for name in WRONG[holds]:
                value = ODD[name]
                said = {"list": "()", "huge": "e+30"}.get(name, repr(value))
                yield Mistake((*above, key), value, (f"{shown((*above, key))} = ", said, ": "))


def _near(place: tuple[Any, ...], text: str, near: str) -> Mistake:
    return Mistake(place, text, (shown(tuple(p for p in place[:-1])), f"{text.partition(':')[0]}", f"did you mean {near!r}", "("))


NAMES = [  # methods, options and their values
    _near(("metrics", 0), "mdm", "mmd"),
    _near(("metrics", 1), "r_hat", "rhat"),
    _near(("claims", 0), "step-size-bais", "step-size-bias"),
    _near(("figures", 0), "loss_comparisons", "loss_comparison"),
    _near(("sensitivity", "target"), "gausian_mixture", "gaussian_mixture"),
    _near((*E, "target"), "gausian", "gaussian"),
    _near((*E, "target"), "gaussian:dimm=2", "dim"),
    _near((*E, "exact", "samplers", 0), "ulla", "ula"),
    _near((*E, "exact", "samplers", 1), "underdamped:spliting=BAOAB", "splitting"),
    _near((*E, "exact", "samplers", 1), "underdamped:splitting=BAOBA", "BAOAB"),
    _near((*E, "work", "samplers", 0), "hmcc", "hmc"),
    _near((*E, "sources", "quadratic", 0), "denosing:sigma=0.25", "denoising"),
    _near((*E, "sources", "quadratic", 0), "denoising:sgima=0.25,sigma=0.25", "sigma"),
    _near((*E, "sources", "quadratic", 0), "sliced:probe=gausian", "gaussian"),
    Mistake((*E, "sources", "quadratic", 0), "denoising", ("experiments[0].sources.quadratic", "'sigma' is missing", "a number above 0")),
    Mistake((*E, "sources", "quadratic", 0), "denoising:sigma=-1", ("experiments[0].sources.quadratic", "sigma=-1", "a number above 0")),
    Mistake((*E, "sources", "quadratic", 0), "denoising:sigma=1e99", ("experiments[0].sources.quadratic", "sigma=1e99", "1e-18 to 1e+18")),
    Mistake((*E, "sources", "quadratic", 0), "denoising:sigma=0.25,x", ("experiments[0].sources.quadratic", "'x'", "key=value")),
    Mistake((*E, "target"), "gaussian:dim=2.5", ("experiments[0].target", "dim=2.5", "a whole number, 1 or more")),
    Mistake((*E, "target"), "gaussian:dim=2,dim=2", ("experiments[0].target", "'dim' is given twice")),
    Mistake((*E, "exact", "grid", "fricton"), [1.0], ("experiments[0].exact.grid", "'fricton'", "did you mean 'friction'")),
    Mistake((*E, "exact", "grid", "friction", 0), -1.0, ("experiments[0].exact.grid.friction = -1.0", "a number above 0")),
    Mistake((*E, "exact", "step_sizes", 0), 0.0, ("experiments[0].exact.step_sizes[0] = 0.0", "greater than 0")),
    Mistake((*E, "exact", "step_sizes", 1), 0.05, ("experiments[0].exact.step_sizes", "0.05 given twice")),
    Mistake((*E, "exact", "budgets"), [300, 50], ("experiments[0].exact.budgets = (300, 50)", "must rise strictly")),
    Mistake((*E, "training", "steps"), [0, 3], ("experiments[0].training.steps[0] = 0", "greater than or equal to 1")),
    Mistake(("name",), "Not good", ("name = 'Not good'", "did you mean 'not-good'", "allowed: up to 64 of a-z")),
    Mistake(("name",), "reference", ("name = 'reference'", "results/reference holds")),
    Mistake(("name",), "../escape", ("name = '../escape'", "did you mean 'escape'")),
    Mistake(("device",), "gpu:1", ("device = 'gpu:1'", "did you mean", "cpu, cuda, mps")),
    Mistake(("plugins",), ["no_such.py"], ("plugins", "no_such.py", "allowed: a file NAME.py")),
    Mistake(("accuracy", "pilot"), 100, ("accuracy.pilot = 100", "must be a multiple of 40")),
    Mistake(("accuracy", "margin"), 1, ("accuracy.margin = 1", "greater than 1")),
    Mistake(("seed",), 2**63, ("seed = 9223372036854775808", "less than 9223372036854775808")),
]
SEED = Mistake(("seed",), True, ("seed = True", "valid integer"))
TOGETHER = [  # right by themselves, not together: limits that contradict each other, and what nothing would read
    Mistake((*E, "training", "learning_rate"), 0.01, ("experiments[0].training.learning_rate = 0.01", "allowed: learning_rate or sweep")),
    Mistake((*E, "training", "sizes"), [2000], ("experiments[0].training.sizes: 2000", "allowed: less than size = 2000")),
    Mistake((*E, "exact", "losses"), ["sliced"], ("experiments[0].exact[0].losses = sliced", "allowed: in trained")),
    Mistake((*E, "trained", "losses"), ["slicedd"], ("experiments[0].trained.losses", "'slicedd'", "did you mean 'sliced'")),
    Mistake((*E, "trained", "losses"), ["implicit"], ("experiments[0].trained[0].losses", "'implicit' is unknown", "known: ")),
    Mistake(
        (*E, "trained", "samplers"),
        ["hmc:leapfrog_steps=400"],
        ("experiments[0].trained[0].budgets = 300", "takes 400 gradients", "allowed: 400 or more"),
    ),
    Mistake((*E, "exact", "grid", "step_size"), [0.1], ("experiments[0].exact.grid.step_size", "allowed: step_sizes")),
    Mistake((*E, "exact", "samplers"), ["underdamped:friction=1", "ula"], ("experiments[0].exact", "friction", "allowed: one of them")),
    Mistake(
        (*E, "work", "samplers"),
        ["hmc", "annealed:sigmas=2|1,steps=60"],
        ("experiments[0].work[0].budget = 200", "takes 120 gradients", "twice as many or more"),
    ),
    Mistake(
        (*E, "work", "samplers"),
        ["mala_from_data", "hmc"],
        ("experiments[0].work[0].samplers", "'mala_from_data'", "allowed: in exact or trained"),
    ),
    Mistake(
        (*E, "sources", "mlp_score"), ["contrastive_divergence"], ("experiments[0].sources.mlp_score", "contrastive_divergence", "known: ")
    ),
    Mistake(("snapshots",), ["rhat"], ("snapshots", "'rhat' is measured once", "allowed: mmd")),
    Mistake(("snapshots",), ["ksd"], ("snapshots", "'ksd' is unknown", "known: ")),
    Mistake(("metrics",), ["mmd", "mmd", "rhat"], ("metrics", "'mmd' is given twice")),
    Mistake(("figures", 0), "learning_rate_sweep_", ("figures", "did you mean 'learning_rate_sweep'")),
    Mistake(("experiments", 1, "target"), "gaussian", ("experiments[1].target", "'gaussian' is given twice")),
    Mistake(
        ("experiments", 1, "trained"),
        {"samplers": ["ula"], "step_sizes": [0.1]},
        ("experiments[1].trained", "nothing trained to sample", "add sources"),
    ),
]


class Case(NamedTuple):
    """What a file holds, and the words of each line that it is refused with."""

    name: str
    content: bytes
    lines: list[tuple[str, ...]]


def with_mistakes(mistakes: list[Mistake]) -> bytes:
    """The good suite with these mistakes in it."""
    suite = yaml.safe_load(GOOD)
    for place, value, _ in mistakes:
        *above, key = place
        parent = suite
        for step in above:
            parent = parent[step]
        parent[key] = copy.deepcopy(value)
    return yaml.safe_dump(suite).encode()


def files_that_are_no_suites() -> Iterator[Case]:
    """By bytes and by YAML."""
    good, chance = GOOD.encode(), random.Random(0)
    twice = GOOD.replace("seed: 1\n", "seed: 1\nseed: 2\n").encode()
    bomb = b"a: &a [x, x]\n" + b"".join(b"%c: &%c [%s]\n" % (98 + n, 98 + n, b", ".join([b"*%c" % (97 + n)] * 9)) for n in range(12))
    merged = b"a: &a {x: 1}\n" + b"".join(
        b"%c: &%c {<<: [%s]}\n" % (98 + n, 98 + n, b", ".join([b"*%c" % (97 + n)] * 9)) for n in range(12)
    )
    for name, content, *words in (
        ("empty", b"", "a suite is a mapping", "known: "),
        ("a comment", b"# name: x\n", "a suite is a mapping"),
        ("only a BOM", b"\xef\xbb\xbf", "a suite is a mapping"),
        ("a list", b"- name\n", "a suite is a mapping"),
        ("a number", b"3\n", "a suite is a mapping"),
        ("a text", b"name\n", "a suite is a mapping"),
        ("two documents", good + b"---\na: 1\n", "not YAML", "another document"),
        ("NUL", good.replace(b"good", b"go\0od"), "not YAML", "#x0000"),
        ("ESC", good.replace(b"good", b"go\x1bod"), "not YAML", "#x001b"),
        ("UTF-16", GOOD.encode("utf-16"), "not UTF-8 text", "byte 0"),
        ("Latin-1", good.replace(b"good", b"g\xf6d"), "not UTF-8 text", "byte 8"),
        ("a surrogate", good.replace(b"good", b"\xed\xa0\x80"), "not UTF-8 text"),
        ("cut in a letter", good + "# é".encode()[:-1], "not UTF-8 text"),
        ("bytes", bytes(chance.randrange(128, 256) for _ in range(2_000)), "not UTF-8 text"),
        ("a picture", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not UTF-8 text"),
        ("a pickle", b"\x80\x04\x95\x1e\x00", "not UTF-8 text"),
        ("gzip", b"\x1f\x8b\x08\x00\x00\x00", "not UTF-8 text"),
        ("a tab", good.replace(b"  - target", b"\t- target", 1), "not YAML", "line 14"),
        ("a tab later", good.replace(b"    seeds", b"\tseeds", 1), "not YAML", "line 15"),
        ("a bracket", good.replace(b"[mmd,", b"[[mmd,"), "not YAML"),
        ("a brace", good + b"x: {a: 1\n", "not YAML"),
        ("a quote", good.replace(b"good", b"'good"), "not YAML"),
        ("an indent", good.replace(b"    seeds: 3", b"      seeds: 3"), "not YAML", "line 15"),
        ("a colon", good.replace(b"seed: 1", b"seed: 1: 2"), "not YAML", "line 3"),
        ("an alias of nothing", good + b"x: *nothing\n", "not YAML", "nothing"),
        ("an alias in itself", good + b"x: &x [*x]\n", "not YAML", "*x stands in what it names"),
        ("a bomb", bomb, "not YAML", "more than 10,000 values"),
        ("a bomb of merges", merged, "not YAML", "more than 10,000 values"),
        ("a merge of a number", good + b"<<: 3\n", "not YAML", "mapping"),
        ("Python", good + b"x: !!python/object/apply:os.system ['touch OWNED']\n", "not YAML", "python/object/apply:os.system"),
        ("a tag", good.replace(b"seed: 1", b"seed: !!int '1'"), "not YAML", "tag:yaml.org,2002:int"),
        ("a key that is a list", good + b"? [1, 2]\n: 3\n", "not YAML", "key"),
        ("nested without end", b"x: " + b"[" * 5_000 + b"]" * 5_000, "nested too deeply"),
        ("mappings without end", b"{a: " * 5_000 + b"}" * 5_000, "nested too deeply"),
        ("many values", good.replace(b"[mmd,", b"[" + b"mmd, " * 20_000), "not YAML", "more than 10,000 values"),
        ("a megabyte", b"name: " + b"x" * 1_000_001, "bytes are no suite", "1,000,000 at most"),
        ("a key twice", twice, "line 4", "'seed' is given twice"),
        ("JSON in part", b'{"name": "x",', "not YAML"),
        ("a shell script", b"#!/bin/sh\ntouch OWNED\n", "a suite is a mapping"),
        ("HTML", b"<!DOCTYPE html>\n<p>x</p>\n", "a suite is a mapping"),
    ):
        yield Case(name, content, [tuple(words)])
    for key in ("name", "seed", "metrics", "experiments"):
        suite = yaml.safe_load(GOOD)
        for needless in {key, *(("snapshots", "sensitivity") if key == "metrics" else ("figures",) if key == "experiments" else ())}:
            del suite[needless]
        yield Case(f"without {key}", yaml.safe_dump(suite).encode(), [(f"{key} is missing", "allowed: ")])
    for text in ("__use_yte__: true", "3: 4", "~: 4", "true: 4", '"": 4', "é: 4", "'a b': 4", "include: other.yaml"):
        yield Case(f"the key {text}", good + text.encode() + b"\n", [("key ", "is unknown", "known: ")])
    for n, count in enumerate((3_000, 9_000)):
        many = b", ".join(b"m%d" % m for m in range(count))
        yield Case(
            f"{count} metrics",
            b"name: x\nseed: 1\nexperiments: [{target: gaussian, seeds: 2}]\nmetrics: [%s]\n" % many,
            [("metric",)] * min(count, 1_001),
        )
        values = b", ".join(b"%d" % (m + 1) for m in range(count))
        grid = b"{samplers: [hmc, underdamped], step_sizes: [%s], grid: {friction: [%s]}}" % (
            values[:4_000].rpartition(b",")[0],
            values[: 20_000 * n + 9_000].rpartition(b",")[0],
        )
        yield Case(
            f"{count} values of a grid",
            b"name: x\nseed: 1\nmetrics: [mmd]\nexperiments: [{target: gaussian, seeds: 2, exact: %s}]\n" % grid,
            [("experiments", "cells to sample", "allowed: 100,000")],
        )


def malformed() -> list[Case]:
    """Every kind of mistake by itself, then two to six of them at once, in places of their own."""
    chance = random.Random(1)
    types = list(wrong_types())
    singles = [*unknown_keys(), *chance.sample(types, 90), *NAMES, *TOGETHER]
    cases = [*files_that_are_no_suites(), *(Case(f"{shown(m.place)} = {m.value!r}"[:70], with_mistakes([m]), [m.words]) for m in singles)]
    for m in TOGETHER:
        if m.place[:2] == E:  # told at once with what is wrong elsewhere
            cases.append(Case(f"{shown(m.place)} = {m.value!r} and the seed"[:70], with_mistakes([m, SEED]), [m.words, SEED.words]))
    plantable = [*unknown_keys(), *(m for m in types if m.value not in ([], {}) and "experiments" != m.place[-1]), *NAMES]
    for number in range(60):
        mistakes: list[Mistake] = []
        for mistake in chance.sample(plantable, 40):
            if not any(_meet(mistake.place, other.place) for other in mistakes):
                mistakes.append(mistake)
        mistakes = mistakes[: 2 + number % 5]
        cases.append(Case(f"{len(mistakes)} mistakes at once, {number}", with_mistakes(mistakes), [m.words for m in mistakes]))
    return cases


def _meet(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether a mistake could change what is said of another: in one list or mapping of methods, or one above the other."""
    least = min(len(one), len(other))
    listed = [place[:-1] for place in (one, other) if isinstance(place[-1], int)]
    return one[:least] == other[:least] or any(place == (one, other)[n][: len(place)] for place in listed for n in (0, 1))


def refused(case: Case, folder: Path) -> tuple[str, float]:
    """What is wrong with how a case is refused, "" if nothing, and the seconds that it took."""
    path = folder / "suite_.yaml"
    path.write_bytes(case.content)
    before, started = sorted(os.listdir(folder)), time.process_time()
    try:
        load(path)
        said = "it is not refused"
    except InputError as error:
        said = _mismatch(case, [line.removeprefix(f"{path}: ") for line in error.lines])
    except BaseException as error:
        said = f"a traceback: {error!r}"
    seconds = time.process_time() - started
    if sorted(os.listdir(folder)) != before:
        said = f"a file was written: {os.listdir(folder)}"
    return said or (f"{seconds:.1f} s" if seconds > SECONDS else ""), seconds


def _mismatch(case: Case, lines: list[str]) -> str:
    if len(lines) != len(case.lines):
        return f"{len(lines)} lines for {len(case.lines)} mistakes: {lines[:9]}"
    if len(lines) > 50:
        return "" if all(word in line for words, line in zip(case.lines, lines, strict=True) for word in words) else lines[0]
    for words in case.lines:
        if not any(all(word in line for word in words) and len(line) <= 2_100 and line.isprintable() for line in lines):
            return f"no line has {words}: {lines}"
    return ""


# Fuzzing.

TEXTS = [
    *(path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("workflows/suites/*.yaml"))),
    GOOD,
    GOOD,
    GOOD,
    GOOD,
]  # which is quick
SUITES = list(map(yaml.safe_load, TEXTS))
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(
        [
            "ula",
            "mala",
            "gaussian",
            "gaussian:dim=2",
            "mmd",
            "all",
            "*",
            "s*",
            "density:path=x.py",
            "table:path=../x",
            "annealed:sigmas=2|1",
            "../x",
        ]
    )
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=6) | st.sampled_from(["samplers", "grid", "seeds"]), inner, max_size=4)
    ),
    max_leaves=12,
)
KNOWN = sorted({key for keys in KEYS.values() for key in keys})
RANDOM = st.dictionaries(st.sampled_from(["name", "seed", "metrics", "experiments", "claims", *KNOWN]), ANYTHING, max_size=8)


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    return [place for key, item in inner for place in [(*at, key), *_places(item, (*at, key))]]


@st.composite
def mutants(draw: st.DrawFn) -> str:
    """A suite of the repository with up to five keys or items dropped, moved, put twice, called otherwise or replaced by anything."""
    suite = copy.deepcopy(draw(st.sampled_from(SUITES)))
    for _ in range(draw(st.integers(1, 5))):
        places = _places(suite)
        if not places:
            break
        *above, key = places[draw(st.integers(0, len(places) - 1))]
        parent = suite
        for step in above:
            parent = parent[step]
        change = draw(st.sampled_from(["drop", "twice", "rename", "replace", "elsewhere"]))
        if change == "drop":
            del parent[key]
        elif change == "twice" and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
        elif change == "rename" and isinstance(parent, dict):
            parent[draw(st.sampled_from(KNOWN) | st.text(max_size=4))] = parent.pop(key)
        elif change == "elsewhere":
            value = suite
            for step in places[draw(st.integers(0, len(places) - 1))]:
                value = value[step]
            parent[key] = copy.deepcopy(value)
        else:
            parent[key] = draw(ANYTHING)
    return yaml.safe_dump(suite, allow_unicode=True)


@st.composite
def torn(draw: st.DrawFn) -> str:
    """The text of a suite with pieces cut out, put elsewhere or replaced by signs."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(len(text) - 1, 0)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        text = (
            text[:start]
            + draw(
                st.sampled_from(["", text[start:end] * 2, "\t", "&a ", "*a", "<<: ", "!!x ", "[", "}", "\n", "'", ": ", "- "])
                | st.text(string.printable, max_size=5)
            )
            + text[end:]
        )
    return text


def fuzz(count: int, folder: Path, started_from: int = 0) -> dict[str, Any]:
    """So many texts, each planned or refused: counts of both, the longest time, and what went wrong otherwise."""
    path = folder / "fuzzed.yaml"
    found: dict[str, Any] = {"planned": 0, "refused": 0, "longest": 0.0, "wrong": []}

    @seed(started_from)
    @settings(max_examples=count, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(mutants() | torn() | RANDOM.map(lambda suite: yaml.safe_dump(suite, allow_unicode=True)))
    def told(text: str) -> None:
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        started = time.process_time()
        try:
            plan = Plan(load(path))
            for stage in STAGES:
                for job in plan.jobs(stage):
                    plan.inputs(stage, job), plan.outputs(stage, job)
            found["planned"] += 1
        except InputError as error:
            found["refused"] += 1
            if not all(line.startswith(str(path)) and line.isprintable() for line in error.lines):
                found["wrong"].append((error.lines, text))
        except Exception as error:
            found["wrong"].append((repr(error), text))
        seconds = time.process_time() - started
        found["longest"] = max(found["longest"], seconds)
        if seconds > SECONDS:
            found["wrong"].append((f"{seconds:.1f} s", text))
        if os.listdir(folder) != [path.name]:
            found["wrong"].append((f"a file was written: {os.listdir(folder)}", text))

    told()
    return found


# Snakemake, which would read the file first.

ARGUMENTS = [  # of a command, and the words of its only line
    (("--configfile", "missing.yaml"), "scorebench: missing.yaml: No such file"),
    (("--configfile=workflows/suites/smok.yaml",), "did you mean 'smoke.yaml'?"),
    (("--configfile", "workflows"), "scorebench: workflows: is a folder"),
    (("--configfile", "workflows/suites/smoke.yaml", "workflows/suites/paper.yaml"), "a suite is one file"),
    (("--configfile", "workflows/suites/smoke.yaml", "--config", "suite=smoke"), "a suite is one file"),
    (("--config", "suite=smok"), "suite 'smok' is unknown; did you mean 'smoke'?"),
    (("--config", "suit=smoke"), "key 'suit' is unknown; did you mean 'suite'? (known: suite)"),
    (("--config", "smoke"), "key 'smoke' is unknown"),
    (("--configfile", "{folder}/tab.yaml"), "tab.yaml: not YAML: "),
    (("--configfile", "{folder}/bytes.yaml"), "bytes.yaml: not UTF-8 text: "),
    (("--configfile", "{folder}/python.yaml"), "'__use_yte__' is unknown"),
]
FILES = {
    "tab.yaml": b"name: x\n\tseed: 1\n",
    "bytes.yaml": b"\xff\xfe\x00",
    "python.yaml": GOOD.encode() + b"__use_yte__: true\n? __import__('pathlib').Path('OWNED').touch()\n: 1\n",
}


def by_snakemake(arguments: tuple[str, ...], folder: Path) -> tuple[str, str]:
    """The lines that a command ends with, and what is wrong with that."""
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    owned = ROOT / "OWNED"
    command = [sys.executable, "-m", "snakemake", "--dry-run", *(part.format(folder=folder) for part in arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace", timeout=120)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("Using workflow specific profile")]
    wrong = (
        "exit code 0"
        if not done.returncode
        else "more than lines of its own"
        if not all(line.startswith("scorebench: ") for line in lines)
        else ""
    )
    if owned.exists():
        owned.unlink()
        wrong = "code in the file was run"
    return "\n".join(lines), wrong


def main() -> int:
    """All of it, with counts; 1 if anything was missed."""
    missed = unlike = 0
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        cases, longest = malformed(), 0.0
        for case in cases:
            said, seconds = refused(case, Path(name))
            longest = max(longest, seconds)
            missed += bool(said)
            if said:
                print(f"MISSED {case.name}: {said[:600]}")
        mistakes = sum(len(case.lines) for case in cases)
        ends = f"malformed: {len(cases) - missed} of {len(cases)} refused with a line for each of {mistakes} mistakes; the slowest took {longest:.2f} s"
        (Path(name) / "suite_.yaml").unlink()
        found = fuzz(int(sys.argv[1]) if sys.argv[1:] else 2_000, Path(name))
        for why, text in itertools.islice(found["wrong"], 5):
            print(f"MISSED {str(why)[:600]}\n{text[:2_000]}\n---")
        ends += f" | fuzzed: {found['planned']} planned, {found['refused']} refused, {len(found['wrong'])} wrong; the slowest took {found['longest']:.2f} s"
        os.chdir("/")
        for arguments, words in ARGUMENTS:
            lines, wrong = by_snakemake(arguments, Path(name))
            if wrong or words not in lines:
                unlike += 1
                print(f"MISSED snakemake {' '.join(arguments)}: {wrong} {lines[-600:]}")
        print(f"{ends} | snakemake: {len(ARGUMENTS) - unlike} of {len(ARGUMENTS)} commands that are wrong refused")
    return int(bool(missed or unlike or found["wrong"]))


if __name__ == "__main__":
    sys.exit(main())
