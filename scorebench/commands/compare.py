"""`scorebench compare`: a few methods side by side at the command line, by the workflow's own jobs and by its measure of samplers."""

import math
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from scorebench import stages
from scorebench.commands import work
from scorebench.commands.validate import look, look_at
from scorebench.commands.work import Contestant, contestants
from scorebench.core import registry, sealed
from scorebench.core.errors import InputError
from scorebench.core.options import LARGEST, SMALLEST
from scorebench.core.schema import METRICS, Ended, Status
from scorebench.core.spec import Spec, labels, parse, parse_all
from scorebench.report import statistics, tables
from scorebench.report.choosing import at_end, floor, is_ok, lower_is_better, standings
from scorebench.store import artifacts, trained
from scorebench.store.trained import Training
from scorebench.suite.config import Accuracy
from scorebench.suite.jobs import LEARNING_RATE, has_step, swept, timing, to_the_end
from scorebench.suite.plan import Plan
from scorebench.suite.reading import checked

METRICS_OF_SAMPLERS = (
    *("mode_weight_error", "within_mode_sliced_w2", "mmd", "mmd:fraction=0.2", "ksd", "c2st"),
    *("mean_error", "second_moment_bias", "ess", "rhat", "acceptance"),
)
METRICS_OF_LOSSES = (
    *("relative_fisher_divergence", "relative_fisher_divergence:to=fixed_point", "hyvarinen_score"),
    *("law_error:of=weights", "law_error"),
)


def metrics_about(what: str) -> list[str]:
    """The metrics that are shown of a "sampler" or a "source": the package's choice, and all that come from elsewhere."""
    own = [name for name in registry.names("metric") if registry.entry("metric", name).elsewhere]
    about = [name for name in own if registry.entry("metric", name).facts.get("ABOUT", "sampler") == what]
    return [*(METRICS_OF_SAMPLERS if what == "sampler" else METRICS_OF_LOSSES), *about]


MASTER, MINUTES = 0, 60.0
MOST = 128
"""Chains a seed that metrics are measured on."""

Entry = dict[str, Any]
"""A method: its name, what it cost, its metrics (a dictionary each), and `best`, the metrics in which it is better than every other beyond chance; of a sampler
its `work`, too (`commands.work`)."""


def samplers(
    target: str,
    texts: list[str],
    temperature: float,
    steps: int,
    chains: int,
    seeds: int,
    tell: Callable[[str, bool], None] = lambda text, whole: None,
) -> list[Entry]:
    """One entry a sampler: its work to accuracy with the word that it is entitled to; every metric's mean after `steps` gradients with its 95 % t interval
    across seeds, its floor, and what a gradient cost.

    Work is of T = 1, where the target has exact draws or a reference; else `work` says why there is none. `tell` is told what is done, and whether that is
    a piece of the whole. Raises InputError with one line a mistake.
    """
    where, its = _checked(target, texts, temperature, steps, chains, seeds)
    if temperature == 1:
        look([where], MINUTES, work.MEGABYTES)
        found = work.works(where, its, steps, work.whole_blocks(chains), MASTER, MINUTES, tell)
    else:
        why = Ended(Status.NOT_APPLICABLE, "work to accuracy is of T = 1")
        found = [{"cell": str(one.spec), "bench": False, **why._asdict()} for one in its]
    tell(f"metrics after {steps} gradients, {seeds} seeds", not any(one.get("bench", True) for one in found))
    cells = {str(one.spec): _cell(one, row["cell"]) for one, row in zip(its, found, strict=True)}
    entries = _measured(where, cells, temperature, steps, min(chains, MOST), seeds)
    return [{"sampler": entry["sampler"], "work": row} | entry for entry, row in zip(entries, found, strict=True)]


def _cell(one: Contestant, cell: str) -> Spec:
    """What the metrics are of: the best cell; where there is none, any step."""
    spec = parse("sampler", cell, grid=True)
    return spec if not one.tuned or "step_size" in dict(spec.given) else spec.having("step_size", 1.0)


def _measured(where: Spec, cells: Mapping[str, Spec], temperature: float, steps: int, chains: int, seeds: int) -> list[Entry]:
    """An entry a sampler, by its name, of the metrics at its cell."""
    specs = dict.fromkeys(cells.values())
    names = {spec: str(spec.without("step_size")) for spec in specs}
    step = {spec: dict(spec.given).get("step_size") for spec in specs}
    blocks = tuple(  # some have no step
        {
            "samplers": (names[spec],),
            "step_sizes": (step[spec] or 1.0,),
            "temperatures": (temperature,),
            "chains": chains,
            "budgets": (steps,),
        }
        for spec in specs
    )
    experiment = {"target": str(where), "seeds": seeds, "exact": blocks}
    run = _run(_plan(metrics_about("sampler"), experiment, "compare samplers"))
    entries, frames = [], []
    for name, spec in cells.items():
        job = next(job for job in run.plan.samples.values() if str(job.sampler) == names[spec])
        here = run.rows["step_size"].isna() if step[spec] is None else run.rows["step_size"] == step[spec]
        rows = run.rows[(run.rows["sampler"] == names[spec]) & here].assign(sampler=name)
        costs = [source["seconds_per_gradient"] for source in run.record("sample", job.id).get("sources", ())]
        cost = fmean(costs) if costs and job.gradients else None
        entries.append({"sampler": name, "seconds_per_gradient": cost, "metrics": _summary(rows)})
        frames.append(rows)
    return _with_best(entries, pd.concat(frames), "sampler")


@dataclass(frozen=True)
class _Ran:
    """What the stages left of a suite."""

    plan: Plan
    rows: pd.DataFrame
    records: dict[str, dict[str, Any]]
    trainings: dict[str, Training]

    def record(self, stage: str, job: str) -> dict[str, Any]:
        """What a job cost."""
        return self.records[timing(stage, job)]


def _plan(metrics: Sequence[str], experiment: dict[str, Any], where: str) -> Plan:
    suite = {"name": "compare", "seed": MASTER, "job_minutes": MINUTES, "metrics": tuple(metrics), "experiments": (experiment,)}
    try:
        return Plan(checked(suite, where))
    except InputError as error:  # of a place in a suite that nobody wrote
        raise InputError(*(re.sub(rf"^{where}: experiments\[0\]\.\S+: ", "", line) for line in error.lines)) from error


def _run(plan: Plan) -> _Ran:
    """The workflow's own jobs, one after the other, in a folder that is gone afterwards."""
    look_at(plan)
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, plan.suite.name)
        for stage in ("train", "sample", "measure"):
            for job in plan.jobs(stage):
                stages.run(stage, plan, job, Path(root))
        paths = [folder / f"measure/{job}.csv.gz" for job in plan.measures]
        rows = METRICS.from_parts({path: artifacts.read_gzip(path) for path in paths})
        names = [timing(stage, job) for stage in ("train", "sample") for job in plan.jobs(stage)]
        records = {name: sealed.read(folder / name) for name in names}
        return _Ran(plan, rows, records, {job: trained.read(folder / f"train/{job}.npz")[0] for job in plan.trains})


def lost(result: list[Entry]) -> bool:
    """Whether some method has no value at all, since it failed or ran out of time."""
    wrong = (Status.FAILED, Status.TIMEOUT)
    return any(all(status.startswith(wrong) for metric in entry["metrics"] for status in metric["status"]) for entry in result)


def _checked(target: str, texts: list[str], temperature: float, steps: int, chains: int, seeds: int) -> tuple[Spec, list[Contestant]]:
    lines: list[str] = []
    where: Spec | None = None
    its: list[Contestant] = []
    try:
        where = parse("target", target)
    except InputError as error:
        lines += error.lines
    try:
        its = contestants(texts)
    except InputError as error:
        lines += error.lines
    for one in its:
        spec = one.spec
        if "temperature" in dict(spec.given):
            lines.append(f"sampler {str(spec)!r}: the temperature is the same for all: --temperature")
        if one.tuned and temperature != 1:
            lines.append(
                f"sampler {str(spec)!r}: option 'step_size' is missing, for example {spec}:step_size=0.05 (it is searched for at T = 1 alone)"
            )
        if not has_step(spec) and "step_size" in dict(spec.given):
            lines.append(f"sampler {str(spec)!r}: it has no step size (allowed: {spec.without('step_size')})")
        if 0 < steps < (least := to_the_end(spec)):
            lines.append(f"--steps {steps} is not allowed: sampler {str(spec)!r} takes {least} gradients (allowed: {least} or more)")
    if not 0 < temperature < float("inf"):
        lines.append(f"--temperature {temperature} is not allowed (allowed: a positive number)")
    lines += _outside(("steps", steps, 1, 1_000_000_000), ("chains", chains, 16, 1_000_000), ("seeds", seeds, 2, 10_000))
    if lines or where is None:
        raise InputError(*lines)
    return where, its


def _outside(*numbers: tuple[str, int, int, int]) -> list[str]:
    """A line for each option whose value is below or above what is allowed."""
    allowed = [(f"--{name} {value}", least <= value <= most, f"{least} to {most}") for name, value, least, most in numbers]
    return [f"{given} is not allowed (allowed: {words})" for given, holds, words in allowed if not holds]


UNLOGGED = str(Ended(Status.NOT_APPLICABLE, "not positive, though LOG = True"))


def _summary(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """A metric with LOG has no mean where some value has no logarithm; where all are 0, as of a score that is the target's own, that is 0."""
    metrics = []
    for spec, label in labels(parse("metric", metric) for metric in rows["metric"].unique()).items():
        group, facts = rows[rows["metric"] == str(spec)], spec.entry.facts
        values = group.loc[is_ok(group), "value"].to_numpy(float)
        log = bool(facts["LOG"] and values.any())
        mean, low, high = statistics.t_interval(values, log=log)
        ended = [
            UNLOGGED if log and status == Status.OK and not value > 0 else str(Ended(status, reason))
            for value, status, reason in group[["value", "status", "reason"]].itertuples(index=False)
        ]
        status = {name: ended.count(name) for name in dict.fromkeys(ended)}
        entry: dict[str, Any] = {"metric": str(spec), "label": label, "mean": mean, "low": low, "high": high, "status": status}
        if facts["FLOOR"]:
            entry |= {"floor_mean": float(group["floor_mean"].iloc[0]), "floor_q95": floor(group[is_ok(group)])}
        metrics.append({k: None if isinstance(v, float) and v != v else v for k, v in entry.items()})
    return metrics


DOUBLINGS = 3
"""Before the last step of a training, at which it is looked at."""


def losses(target: str, model: str, texts: list[str], steps: int, size: int, batch: int, rates: Sequence[float], seeds: int) -> list[Entry]:
    """One entry a loss: the metrics of what it learnt and its standing, the learning rate, or the option of its own, that its sweep chose, its steps, what a
    step cost, and seconds in all. One that fits by itself takes no steps.

    Raises InputError with one line a mistake.
    """
    lines = _outside(("steps", steps, 1, 10**9), ("size", size, 1, 10**9), ("batch", batch, 1, 10**9), ("seeds", seeds, 2, 10_000))
    lines += [f"--rate {rate:g} is not allowed (allowed: {SMALLEST:g} to {LARGEST:g})" for rate in rates if not SMALLEST <= rate <= LARGEST]
    lines += [f"--rate {rate:g} is given twice" for rate, times in Counter(rates).items() if times > 1]
    for kind, names in (("target", [target]), ("model", [model]), ("loss", texts)):
        try:
            parse_all(kind, names)
        except InputError as error:
            lines += error.lines
    if lines:
        raise InputError(*lines)
    ends = tuple(sorted({steps >> halvings for halvings in range(DOUBLINGS + 1)} - {0})) or (steps,)
    training: dict[str, Any] = {"size": size, "batch": batch, "steps": ends}
    if len(rates) > 1:
        training["sweep"] = {"learning_rates": tuple(rates), "seeds": 3, "steps": max(steps // 4, 1)}
    else:
        training["learning_rate"] = rates[0]
    experiment = {"target": target, "seeds": seeds, "training": training, "sources": {model: tuple(texts)}}
    plan = _plan(about := metrics_about("source"), experiment, "compare losses")
    if about == [*METRICS_OF_LOSSES] and (why := parse("target", target).build().singular):
        raise InputError(f"{target}: no loss would be ranked, since the law has no density: {why}")
    run = _run(plan)
    table = tables.losses(run.rows, list(run.plan.metrics), run.plan.suite.accuracy.margin)
    entries = []
    for id, job in run.plan.trains.items():
        option, _ = swept(job.loss, job.experiment.training)
        chosen = run.trainings[id].chosen or (None,) * len(job.losses)
        costs = [source["seconds_per_gradient"] for source in run.record("train", id).get("sources", ())] or [None] * len(job.losses)
        for loss, value, cost in zip(map(str, job.losses), chosen, costs, strict=True):
            its = table[table["loss"] == loss]
            reached = run.trainings[id].steps[-1]
            seconds = None if cost is None else cost * reached
            descends = "fit" not in job.loss.entry.functions
            choice = {LEARNING_RATE: value} if option == LEARNING_RATE else {LEARNING_RATE: None, "tuned": {option: value}}
            spent = {"steps": reached if descends else 0, "seconds_per_gradient": cost if descends else None, "seconds": seconds}
            metrics = _summary(at_end(run.rows[run.rows["loss"] == loss]))
            entries.append({"loss": loss, **choice, **spent, "metrics": metrics, "standing": _standing(its, metrics)})
    return _with_best(entries, at_end(run.rows), "loss")


def how_trained(texts: Sequence[str], steps: int, size: int, batch: int, rates: Sequence[float]) -> str:
    """What was done for the losses: descended, fitted by themselves, or, of a model that was trained elsewhere, nothing."""
    specs = parse_all("loss", texts)
    given = [str(spec) for spec in specs if ("model", "given") in spec.needs]
    fitted = [str(spec) for spec in specs if "fit" in spec.entry.functions and str(spec) not in given]
    draws = f"{size} draws or all that there are"
    tried = ", ".join(f"{rate:g}" for rate in rates)
    parts = []
    if len(given) + len(fitted) < len(specs):
        rate = f"learning rates from {tried} on for each" if len(rates) > 1 else f"learning rate {tried}"
        parts.append(f"up to {steps} steps of {batch} from {draws}, {rate}")
    if fitted:
        parts.append(f"{', '.join(fitted)}: fitted to {draws}, without steps")
    if given:
        parts.append(f"{', '.join(given)}: trained elsewhere, and not here")
    return "; ".join(parts)


def _standing(rows: pd.DataFrame, metrics: list[dict[str, Any]]) -> dict[str, Any] | None:
    """By the first metric that ranks, with what the last doubling of the steps gained."""
    ranked = rows[rows["leads"] | (rows["word"] != "")]
    if ranked.empty:
        return None
    names = ["metric", "mean", "low", "high", "word", "apart", "apart_low", "apart_high", "detectable", "gain", "gain_low", "gain_high"]
    row, metric = ranked.iloc[0], parse("metric", ranked["metric"].iloc[0])
    told = {name: None if isinstance(row[name], float) and math.isnan(row[name]) else row[name] for name in names}
    label = next(its["label"] for its in metrics if its["metric"] == str(metric))
    return told | {"leads": bool(row["leads"]), "label": label, "log": metric.entry.facts["LOG"]}


def _with_best(entries: list[Entry], rows: pd.DataFrame, kind: str) -> list[Entry]:
    """Add `best`, the metrics in which a method is better than every other."""
    by_name = {entry[kind]: entry | {"best": []} for entry in entries}
    specs = [parse("metric", metric) for metric in rows["metric"].unique()]
    for spec in specs:  # a diagnostic does not rank
        if lower_is_better(spec) and (spec.entry.facts["FLOOR"] or spec.entry.facts.get("ABOUT") == "source"):
            for (name,), standing in standings(rows, [kind], spec, Accuracy().margin).items():
                if standing.word == "better":
                    by_name[name]["best"].append(str(spec))
    return list(by_name.values())
