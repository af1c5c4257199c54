"""What every figure keeps to: it says what to see, and draws it from a run that has what it USES, by the workflow's own jobs."""

import json
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench import stages
from scorebench.core import registry
from scorebench.core.errors import InputError, NotApplicable
from scorebench.core.schema import OK
from scorebench.core.spec import Spec, parse
from scorebench.figures.base import style
from scorebench.store.results import Results
from scorebench.suite.jobs import to_the_end
from scorebench.suite.plan import Plan
from scorebench.suite.reading import checked
from scorebench.testing.contract import Check, own_generator, says
from scorebench.testing.examples import of_file

ANY: dict[str, tuple[str, ...]] = {
    "target": ("gaussian_mixture",),
    "model": ("mlp_energy:width=8",),
    "loss": ("denoising:sigma=0.5", "explicit"),
    "sampler": ("ula", "mala"),
    "metric": ("mmd", "relative_fisher_divergence"),
    "claim": ("wiener-increment",),
}
"""What stands for any method of a kind."""


def declares_what_to_see(spec: Spec) -> None:
    """It says LABEL, CAPTION, and USES by kind, and READS or the claims whose numbers it shows."""
    says(spec, LABEL=str, CAPTION=str, USES=dict)
    facts = spec.entry.facts
    assert facts["CAPTION"].endswith("."), "CAPTION ends without a full stop; a sentence or more on what to see was expected"
    for kind, names in facts["USES"].items():
        assert kind in registry.FOLDERS, f"USES names the kind {kind!r} (known: {', '.join(registry.FOLDERS)})"
        assert isinstance(names, tuple), f"USES[{kind!r}] = {names!r}; a tuple of names was expected, '' being any"
        for name in set(names) - {""}:
            assert name in registry.names(kind), f"USES names the {kind} {name!r}, which there is not"
    assert facts.get("READS") or "claim" in facts["USES"], (
        "READS names no file and USES no claim; a figure draws what stands in result files"
    )


def a_suite(figure: str) -> dict[str, Any]:
    """A small suite that has what the figure uses, together."""
    facts = registry.entry("figure", figure).facts
    uses = facts["USES"]

    def named(kind: str, more: bool = True) -> tuple[str, ...]:
        names = [str(of_file(kind, name)[0]) if kind != "claim" else name for name in uses.get(kind, ()) if name]
        return tuple(dict.fromkeys([*names, *(ANY[kind] if more or not names else ())]))

    samplers = named("sampler")
    least = max(to_the_end(parse("sampler", sampler)) for sampler in samplers)
    steps = {"samplers": samplers, "step_sizes": (0.02, 0.1), "temperatures": (0.5, 1.0), "chains": 32, "budgets": (10 * least, 20 * least)}
    reads = facts.get("READS", ())
    rate = (
        {"sweep": {"learning_rates": (0.01, 0.03), "seeds": 2, "steps": 10}}
        if "tables/learning_rates.csv" in reads
        else {"learning_rate": 0.01}
    )
    of_each: dict[str, Any] = {"seeds": 3, "exact": (steps,)}
    if {"model", "loss"} & set(uses):
        losses = [loss for loss in named("loss") if ("model", "noise_levels") not in parse("loss", loss).needs]
        models = [model for model in named("model") if "noise_levels" not in parse("model", model).entry.facts["GIVES"]]
        training = {"size": 500, "batch": 64, "steps": (20, 40), **rate}
        of_each |= {"training": training, "sources": {model: tuple(losses) for model in models}, "trained": (steps,)}
    if "tables/work.csv" in reads:
        of_each |= {"work": ({"samplers": samplers, "step_sizes": (0.02, 0.1), "budget": max(100, 4 * least)},)}
    suite = {
        "name": "check",
        "accuracy": {"pilot": 80, "final": 160},
        "seed": 1,
        "metrics": named("metric"),
        "figures": (figure,),
        "claims": named("claim", more=False) if "claim" in uses else (),
        "experiments": tuple({"target": target} | of_each for target in named("target", more=False)),
    }
    return suite | (
        {"sensitivity": {"target": "gaussian_mixture", "chains": 64, "repeats": 20}} if "tables/sensitivity.csv" in reads else {}
    )


def is_drawn_by_its_job(spec: Spec) -> None:
    """Of a small run that has what it USES it draws something in every panel, reads what READS names, and no global generator is used."""
    try:
        plan = Plan(checked(a_suite(spec.name), spec.name))
    except InputError as error:
        raise AssertionError(f"no small suite has what USES = {spec.entry.facts['USES']} names: {'; '.join(error.lines)}") from None
    with tempfile.TemporaryDirectory() as root:
        for stage in ("train", "sample", "measure", "work", "map", "sensitivity", "claim", "tables"):
            for job in plan.jobs(stage):
                stages.run(stage, plan, job, Path(root))
        stages.run("figure", plan, spec.name, Path(root))
        folder = Path(root, plan.suite.name)
        record = json.loads((folder / f"timings/figure/{spec.name}.json").read_text(encoding="utf-8"))
        assert record["status"] == OK.status, f"it draws nothing of a run that has what it USES: {record['status']}: {record['reason']}"
        allowed = plan.inputs("figure", spec.name)
        unnamed = sorted(set(record["reads"]) - set(allowed))
        assert not unnamed, f"it opens {', '.join(unnamed)}, which READS does not name: its job would not wait for that"
        for pattern in spec.entry.facts.get("READS", ()):
            promised = {file for file in allowed if fnmatchcase(file, pattern)}
            assert not promised or promised & set(record["reads"]), f"READS names {pattern!r}, which it does not open"
        with style(), own_generator("draw"):
            try:
                figure: Figure = registry.module("figure", spec.name).draw(Results(folder, plan))
            except NotApplicable as error:
                raise AssertionError(f"it draws nothing of a run that has what it USES: {error}") from None
        bare = [number + 1 for number, ax in enumerate(figure.axes) if not ax.has_data()]
        assert figure.axes and not bare, (
            f"it draws nothing: {'panel ' + ', '.join(map(str, bare)) + ' is' if bare else 'it has no panel, or one'} empty"
        )
        plt.close("all")


CHECKS: tuple[Check, ...] = (declares_what_to_see, is_drawn_by_its_job)
