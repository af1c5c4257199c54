"""`scorebench compare`: a few methods side by side at the command line, by the workflow's own stages and metrics."""

from typing import Any

import pandas as pd

from scorebench import statistics
from scorebench.config import Experiment, Sampling
from scorebench.errors import InputError
from scorebench.plan import Measure, Sample
from scorebench.spec import Spec, parse, parse_all
from scorebench.stages.base import deadline, preload
from scorebench.stages.measure import Bench, metrics_of
from scorebench.stages.sample import sample

METRICS = (
    *("mode_weight_error", "within_mode_sliced_w2", "mmd", "mmd:fraction=0.2", "ksd", "c2st"),
    *("mean_error", "second_moment_bias", "ess", "rhat", "acceptance"),
)
MASTER, MINUTES = 0, 60.0


def samplers(target: str, texts: list[str], temperature: float, steps: int, chains: int, seeds: int) -> list[dict[str, Any]]:
    """One entry a sampler: every metric's mean with its 95 % t interval across seeds, its floor, and what it cost.

    Raises InputError with one line a mistake.
    """
    where, specs = _checked(target, texts, temperature, steps, chains, seeds)
    preload(where, *specs)
    limit = deadline(MINUTES)
    bench: Bench | None = None
    found = []
    for spec in specs:
        step = dict(spec.given).get("step_size", 1.0)
        plan = Sampling(samplers=(spec.name,), step_sizes=(step,), temperatures=(temperature,), chains=chains, budgets=(steps,))
        experiment = Experiment(target=str(where), seeds=seeds, exact=(plan,))
        job = Sample(experiment, where, spec.without("step_size"), (plan,), (), ())
        arrays, blocks, rates = sample(job, MASTER, limit, {})
        bench = bench or Bench(where.build(), MASTER, Measure(experiment, where, (), ()), limit)
        rows = pd.concat(bench.sampler_rows(str(spec), arrays, blocks, metrics_of(METRICS, "sampler")))
        cost = rates[0]["seconds_per_gradient"] if rates and job.sampler.entry.facts["GRADIENTS"] else None
        found.append({"sampler": str(spec), "seconds_per_gradient": cost, "metrics": _summary(rows)})
    return found


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


def show(result: list[dict[str, Any]]) -> None:
    """The same as a table: a row a metric, a column a sampler."""
    from rich.console import Console
    from rich.table import Table

    table = Table("metric", box=None, header_style="bold", pad_edge=False)
    for head in (*(r["sampler"].replace(":", ":\n").replace(",", ",\n") for r in result), "exact draws,\n95 % below"):
        table.add_column(head, overflow="fold")
    for i, first in enumerate(result[0]["metrics"]):
        floor = f"{first['floor_q95']:.3g}" if first.get("floor_q95") is not None else ""
        table.add_row(first["label"], *(_cell(r["metrics"][i]) for r in result), floor)
    table.add_row(
        "nanoseconds a gradient",
        *("" if r["seconds_per_gradient"] is None else f"{1e9 * r['seconds_per_gradient']:.0f}" for r in result),
        "",
    )
    Console().print(table)


def _cell(entry: dict[str, Any]) -> str:
    others = [f"{s} {n}/{sum(entry['status'].values())}" for s, n in entry["status"].items() if s != "ok"]
    value = "" if entry["mean"] is None else f"{entry['mean']:.3g}"
    interval = "" if entry["low"] is None else f" [{entry['low']:.3g}, {entry['high']:.3g}]"
    return "; ".join(filter(None, [value + interval, *others]))
