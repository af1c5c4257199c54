"""`all` and patterns in the lists of a suite: what they stand for, what they are matched with, and a line where that is nothing."""

from pathlib import Path

import pytest

from scorebench.core import registry
from scorebench.core.errors import InputError
from scorebench.suite.config import Suite
from scorebench.suite.reading import load

SUITE = """
name: some
seed: 1
metrics: {metrics}
snapshots: {snapshots}
claims: {claims}
experiments:
  - target: gaussian
    seeds: 2
    training: {{steps: [5]}}
    sources: {{quadratic: {losses}}}
    exact: {{samplers: {samplers}, step_sizes: [0.1], budgets: [500]}}
    trained: {{samplers: [ula], losses: {sampled}, step_sizes: [0.1]}}
"""
PLAIN = {
    "metrics": "[mmd, mean_error]",
    "snapshots": "[mmd]",
    "claims": "[]",
    "losses": '[sliced, "denoising:sigma=0.5", "denoising:sigma=1"]',
    "samplers": "[ula]",
    "sampled": "[sliced]",
}


def suite(folder: Path, **lists: str) -> Suite:
    (folder / "some.yaml").write_text(SUITE.format(**PLAIN | lists))
    return load(folder / "some.yaml")


def test_all(tmp_path):
    made = suite(tmp_path, claims="all", metrics="all", snapshots="[mmd]")
    assert made.claims == tuple(registry.names("claim")) and made.metrics == tuple(registry.names("metric"))
    assert suite(tmp_path, sampled="all").experiments[0].trained[0].losses == ("sliced", "denoising:sigma=0.5", "denoising:sigma=1")


@pytest.mark.parametrize(
    ("key", "given", "names"),
    [
        ("claims", '["fisher-*", tweedie]', [*(n for n in registry.names("claim") if n.startswith("fisher-")), "tweedie"]),
        (
            "claims",
            '[tweedie, "t*", "tw?edie"]',
            ["tweedie", *(n for n in registry.names("claim") if n.startswith("t") and n != "tweedie")],
        ),
        ("metrics", '["mmd:fraction=0.2", "m*d", "mmd*:fraction=0.5"]', ["mmd:fraction=0.2", "mmd", "mmd:fraction=0.5"]),
        ("losses", '["sliced*", implicit]', ["sliced", "sliced_vr", "implicit"]),
        ("losses", '["slice[d]:probe=gaussian"]', ["sliced:probe=gaussian"]),
        ("samplers", '["mala*", "ul?"]', ["mala", "mala_from_data", "ula"]),
        ("sampled", '["denoising*"]', ["denoising:sigma=0.5", "denoising:sigma=1"]),
        ("snapshots", '["m*"]', ["mmd", "mean_error"]),
    ],
)
def test_a_pattern_is_the_names_that_it_matches(key, given, names, tmp_path):
    """In the order of the list, those of a pattern as they are known; none twice."""
    made = suite(
        tmp_path, **{key: given} | ({"sampled": "all"} if key == "losses" else {}) | ({"snapshots": "[mmd]"} if key == "metrics" else {})
    )
    (experiment,) = made.experiments
    lists = {
        "claims": made.claims,
        "metrics": made.metrics,
        "snapshots": made.snapshots,
        "losses": experiment.sources["quadratic"],
        "samplers": experiment.exact[0].samplers,
        "sampled": experiment.trained[0].losses,
    }
    assert list(lists[key] or ()) == names


@pytest.mark.parametrize(
    ("key", "given", "line"),
    [
        ("claims", '["fischer*"]', "claims: claim 'fischer*' matches none; did you mean 'fisher-"),
        ("metrics", '["x*"]', "metrics: metric 'x*' matches none (known: "),
        ("losses", '["slized*"]', "experiments[0].sources.quadratic: loss 'slized*' matches none; did you mean 'sliced"),
        ("samplers", '["mela*"]', "experiments[0].exact.samplers: sampler 'mela*' matches none; did you mean 'mala"),
        ("sampled", '["implicit*"]', "experiments[0].trained.losses: loss 'implicit*' matches none (known: denoising:sigma=0.5, "),
        ("snapshots", '["ksd*"]', "snapshots: metric 'ksd*' matches none"),
        ("losses", '["denoisin?"]', "experiments[0].sources.quadratic: loss 'denoising': option 'sigma' is missing"),
        ("claims", "some", "claims = 'some': Input should be a list"),
        ("metrics", '[mmd, mmd, "mm*"]', "metrics: metric 'mmd' is given twice"),
    ],
)
def test_what_matches_nothing_is_told(key, given, line, tmp_path):
    with pytest.raises(InputError) as told:
        suite(tmp_path, **{key: given} | ({"sampled": "all"} if key == "losses" else {}))
    assert any(line in its for its in told.value.lines), told.value.lines
