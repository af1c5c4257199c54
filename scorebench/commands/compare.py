"""`scorebench compare`: a few methods side by side at the command line, by the workflow's own stages and metrics."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from scorebench import stages
from scorebench.core.errors import InputError
from scorebench.core.spec import Spec, parse, parse_all
from scorebench.engine.attempt import deadline, preload
from scorebench.report import statistics
from scorebench.stages.measure import Bench, metrics_of
from scorebench.stages.sample import sample
from scorebench.stages.tables import ALPHA
from scorebench.store.results import Results
from scorebench.suite.config import Experiment, Sampling, checked
from scorebench.suite.plan import Measure, Plan, Sample

METRICS = (
    *("mode_weight_error", "within_mode_sliced_w2", "mmd", "mmd:fraction=0.2", "ksd", "c2st"),
    *("mean_error", "second_moment_bias", "ess", "rhat", "acceptance"),
)
OF_LOSSES = ("fisher_divergence", "fisher_divergence:to=fixed_point", "hyvarinen_score")
MASTER, MINUTES = 0, 60.0
UNMIXED = 1.01  # Vehtari et al. (2021), section 4


def samplers(target: str, texts: list[str], temperature: float, steps: int, chains: int, seeds: int) -> list[dict[str, Any]]:
    """One entry a sampler: every metric's mean with its 95 % t interval across seeds, its floor, and what it cost.

    Raises InputError with one line a mistake.
    """
    where, specs = _checked(target, texts, temperature, steps, chains, seeds)
    preload(where, *specs)
    limit = deadline(MINUTES)
    bench: Bench | None = None
    measured = metrics_of(METRICS, "sampler")
    found, frames = [], []
    for spec in specs:
        step = dict(spec.given).get("step_size", 1.0)
        plan = Sampling(samplers=(spec.name,), step_sizes=(step,), temperatures=(temperature,), chains=chains, budgets=(steps,))
        experiment = Experiment(target=str(where), seeds=seeds, exact=(plan,))
        job = Sample(experiment, where, spec.without("step_size"), (plan,), (), ())
        arrays, blocks, rates = sample(job, MASTER, limit, {})
        bench = bench or Bench(where.build(), MASTER, Measure(experiment, where, (), ()), limit)
        rows = pd.concat(bench.sampler_rows(str(spec), arrays, blocks, measured))
        cost = rates[0]["seconds_per_gradient"] if rates and job.sampler.entry.facts["GRADIENTS"] else None
        found.append({"sampler": str(spec), "seconds_per_gradient": cost, "metrics": _summary(rows)})
        frames.append(rows)
    return _with_leaders(found, pd.concat(frames), "sampler")


def _checked(target: str, texts: list[str], temperature: float, steps: int, chains: int, seeds: int) -> tuple[Spec, list[Spec]]:
    lines: list[str] = []
    where: Spec | None = None
    specs: list[Spec] = []
    try:
        where = parse("target", target)
    except InputError as error:
        lines += error.lines
    try:
        specs = parse_all("sampler", texts, grid=True)
    except InputError as error:
        lines += error.lines
    for spec in specs:
        if "temperature" in dict(spec.given):
            lines.append(f"sampler {str(spec)!r}: the temperature is the same for all: --temperature")
        if spec.entry.facts.get("GRADIENTS") and "step_size" not in dict(spec.given):
            lines.append(f"sampler {str(spec)!r}: option 'step_size' is missing, for example {spec}:step_size=0.05")
    for name, value, least in (("temperature", temperature, 0), ("steps", steps, 1), ("chains", chains, 16), ("seeds", seeds, 2)):
        if not (value > 0 and least <= value < float("inf")):
            lines.append(f"--{name} {value} is not allowed (allowed: {f'{least} or more' if least else 'a positive number'})")
    if lines or where is None:
        raise InputError(*lines)
    return where, specs


def _summary(rows: pd.DataFrame) -> list[dict[str, Any]]:
    found = []
    for metric, of in rows.groupby("metric", sort=False):
        facts = parse("metric", str(metric)).entry.facts
        label = parse("metric", str(metric)).label
        status = of["status"].value_counts().to_dict()
        values = of.reindex(columns=["value"])[of["status"] == "ok"]["value"].to_numpy(float)
        mean, low, high = statistics.t_interval(values, log=facts["LOG"])
        entry: dict[str, Any] = {"metric": metric, "label": label, "mean": mean, "low": low, "high": high, "status": status}
        if facts["FLOOR"] and "floor_mean" in of:
            entry |= {"floor_mean": float(of["floor_mean"].iloc[0]), "floor_q95": float(of["floor_q95"].iloc[0])}
        found.append({k: None if isinstance(v, float) and v != v else v for k, v in entry.items()})
    return found


def losses(
    target: str, model: str, texts: list[str], steps: int, size: int, batch: int, rates: Sequence[float], seeds: int
) -> list[dict[str, Any]]:
    """One entry a loss: the metrics of what it learnt, the learning rate that its own sweep chose, and what a step cost.

    Raises InputError with one line a mistake.
    """
    training: dict[str, Any] = {"size": size, "batch": batch, "steps": (steps,)}
    if len(rates) > 1:
        training["sweep"] = {"learning_rates": tuple(rates), "seeds": 3, "steps": max(steps // 3, 1)}
    else:
        training["learning_rate"] = rates[0]
    experiment = {"target": target, "seeds": seeds, "training": training, "sources": {model: tuple(texts)}}
    suite = {"name": "compare", "seed": MASTER, "metrics": OF_LOSSES, "experiments": (experiment,)}
    plan = Plan(checked(suite, "compare losses"))
    with TemporaryDirectory() as folder:
        for stage in ("train", "measure", "tables"):
            for job in plan.jobs(stage):
                stages.run(stage, plan, job, Path(folder))
        results = Results(Path(folder, "compare"))
        rows, swept = results.metrics, results.table("learning_rates")
        timings = pd.read_csv(results.folder / "timings.csv").dropna(subset="loss").set_index("loss")["seconds_per_gradient"]
    chosen = swept[swept["chosen"].astype(bool)].set_index("loss")["learning_rate"]
    found = []
    for loss, of in rows.groupby("loss", sort=False):
        facts = {
            "loss": loss,
            "learning_rate": chosen.get(loss, None if len(rates) > 1 else rates[0]),
            "seconds_per_gradient": timings.get(loss),
        }
        found.append(facts | {"metrics": _summary(of)})
    return _with_leaders(found, rows, "loss")


def _with_leaders(found: list[dict[str, Any]], rows: pd.DataFrame, kind: str) -> list[dict[str, Any]]:
    """Add `best`, the metrics in which a method is better than every other beyond chance, and of two methods the `difference`, paired by seed."""
    for entry in found:
        entry["best"] = []
    for metric, of in rows.groupby("metric", sort=False):
        facts = parse("metric", str(metric)).entry.facts
        good = of[of.groupby(kind)["status"].transform(lambda s: (s == "ok").all())].sort_values("seed")
        groups = {k: g["value"].to_numpy(float) for k, g in good.groupby(kind, sort=False)}
        ranks = facts["FLOOR"] or facts["ABOUT"] == "source"  # a diagnostic does not
        if len(groups) > 1 and facts["DIRECTION"] == "lower" and ranks:
            first, against = statistics.leader(groups, facts["LOG"])
            if max(against.values()) < ALPHA:
                next(e for e in found if e[kind] == first)["best"].append(metric)
        if len(groups) == len(found) == 2:
            a, b = (groups[e[kind]] for e in found)
            interval = statistics.t_interval(a / b, log=True) if facts["LOG"] else statistics.t_interval(a - b)
            of_metric = next(m for m in found[0]["metrics"] if m["metric"] == metric)
            of_metric["difference"] = {"ratio": facts["LOG"], **interval._asdict()}
    return found


def show(result: list[dict[str, Any]], kind: str, settings: str) -> None:
    """The same as a table: a row a metric, a column a method."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(settings, markup=False)
    table = Table("metric", box=None, header_style="bold", pad_edge=False)
    for head in (r[kind].replace(":", ":\n").replace(",", ",\n") for r in result):
        table.add_column(head, overflow="fold")
    pair = len(result) == 2
    if pair:
        table.add_column("first - second,\nor, with x, first / second", overflow="fold")
    floors = any("floor_q95" in m for m in result[0]["metrics"])
    if floors:
        table.add_column("exact draws,\n95 % below", overflow="fold")
    for i, first in enumerate(result[0]["metrics"]):
        cells = [_cell(r["metrics"][i]) + (" ★" if first["metric"] in r["best"] else "") for r in result]
        cells += [_difference(first.get("difference"))] if pair else []
        cells += [f"{first['floor_q95']:.3g}" if first.get("floor_q95") is not None else ""] if floors else []
        table.add_row(first["label"], *cells)
    if kind == "loss":
        table.add_row("learning rate", *("" if r["learning_rate"] is None else f"{r['learning_rate']:g}" for r in result))
    name, unit = ("milliseconds a step", 1e3) if kind == "loss" else ("nanoseconds a gradient", 1e9)
    costs = (r["seconds_per_gradient"] for r in result)
    table.add_row(name, *("" if c is None else f"{unit * c:.{2 if kind == 'loss' else 0}f}" for c in costs))
    console.print(table)
    console.print(
        "A mean across seeds with its 95 % t interval; ★: better than every other beyond chance (paired t tests, Holm, 5 %).", markup=False
    )
    unmixed = [r[kind] for r in result for m in r["metrics"] if m["metric"] == "rhat" and (m["mean"] or 0) > UNMIXED]
    if unmixed:
        console.print(f"Not mixed: R-hat above {UNMIXED} for {', '.join(unmixed)}; such numbers are of the start, too.", markup=False)


def _difference(entry: dict[str, Any] | None) -> str:
    if entry is None or entry["mean"] != entry["mean"]:
        return ""
    return f"{'x' if entry['ratio'] else ''}{entry['mean']:.3g} [{entry['low']:.3g}, {entry['high']:.3g}]"


def _cell(entry: dict[str, Any]) -> str:
    others = [f"{s} {n}/{sum(entry['status'].values())}" for s, n in entry["status"].items() if s != "ok"]
    value = "" if entry["mean"] is None else f"{entry['mean']:.3g}"
    interval = "" if entry["low"] is None else f" [{entry['low']:.3g}, {entry['high']:.3g}]"
    return "; ".join(filter(None, [value + interval, *others]))
