r"""`scorebench score`: draws that another program made, by every metric of samples, with intervals and with what exact draws of that number give.

Of a metric that takes MOST draws at once the value is the mean over as many sets of them as there are, with its t interval; of a single set the
interval is the metric's own, 1.96 standard errors. The floor is of the same statistic: 200 sets of exact draws or more, or means of as many of these
as there are sets, drawn with replacement. p is the share of the floor that is as far off, the value itself counted in (Phipson and Smyth 2010);
Holm's correction is over the metrics. Chains are worth their least effective size, and so many draws of them are compared.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scorebench.commands.console import console_for, table
from scorebench.core import rng
from scorebench.core.schema import OK, Ended, Status
from scorebench.core.spec import Spec, labels
from scorebench.engine import floors
from scorebench.engine.attempt import attempt, deadline
from scorebench.engine.metric import Metric
from scorebench.engine.target import built
from scorebench.metrics.base import Estimate, Run
from scorebench.report import statistics
from scorebench.store.draws import read, thinned
from scorebench.targets.base import NOTHING, Target, has

ALPHA, MEANS, MINUTES = 0.05, 10_000, 60.0
A_METRIC = 25
"""Sets of exact draws for each metric, so that the least p, times the number of metrics, is below ALPHA."""

Scored = dict[str, Any]
"""A metric: its name and label, value with low and high, floor_mean and floor_q95, p (Holm's), of how many sets of how many draws, and status."""


def score(file: Path, target: Spec, metrics: list[Spec], temperature: float, most: int) -> tuple[list[str], list[Scored]]:
    """What to say of the draws in a file, and a line a metric. Raises InputError for draws that are none of the target's dimension."""
    whole = built(target)
    values = read(file, whole.dim)
    rows, remark = thinned(values)
    told = [f"{file.name}: {remark}"]
    if len(rows) > most:
        told.append(f"{most:,} of them are compared, evenly taken")
        rows = rows[np.linspace(0, len(rows) - 1, most).astype(int)]
    limit = deadline(MINUTES)
    law, known = attempt(lambda: whole.tempered(temperature), limit)
    x = torch.tensor(rows, dtype=torch.float32)
    x = x[torch.randperm(len(x), generator=rng.generator("score", "order")).to(x.device)]
    trace = torch.tensor(values, dtype=torch.float32)[None, None] if values.ndim == 3 else NOTHING
    repeats = max(floors.REPEATS, A_METRIC * len(metrics))
    scored = [_scored(Metric(metric), law, x, trace, repeats, limit) if law else _entry(Metric(metric), known) for metric in metrics]
    for entry, label in zip(scored, labels(metrics).values(), strict=True):
        entry["label"] = label
    tested = [entry for entry in scored if entry["p"] is not None]
    for entry, p in zip(tested, statistics.holm([entry["p"] for entry in tested]), strict=True):
        entry["p"] = float(p)
    return told, scored


NO_CHAINS = Ended(Status.NOT_APPLICABLE, "it takes chains (allowed: a NPY of shape (chains, draws, d))")


def _scored(metric: Metric, law: Target, x: Tensor, trace: Tensor, repeats: int, limit: float) -> Scored:
    if trace is NOTHING and ("run", "trace") in metric.spec.needs:
        return _entry(metric, NO_CHAINS)
    n = floors.compared(law, min(len(x), int(metric.facts.get("MOST", len(x)))))
    sets = len(x) // n
    run = Run(samples=x[: sets * n].view(sets, 1, n, law.dim), trace=trace, chains=n)
    stream = rng.generator("score", "reference", metric.spec)

    def reference() -> Tensor:
        return torch.stack([law.sample(n, stream) for _ in range(sets)]) if has(law, "sample") else NOTHING

    estimate, ended = metric(run, law, reference, limit)
    if estimate is None:
        return _entry(metric, ended)
    value, low, high = _interval(estimate)
    entry = _entry(metric, ended) | {"value": value, "low": low, "high": high}
    if not (metric.facts["FLOOR"] and floors.floored(law)):
        return entry
    floor, ended = attempt(
        lambda: floors.values(metric, law, n, rng.generator("score", "floor", metric.spec), repeats).cpu().numpy(), limit
    )
    if floor is None:
        return entry | {"status": str(ended)}
    if sets > 1:
        floor = np.random.Generator(np.random.PCG64(sets)).choice(floor, (MEANS, sets)).mean(1)
    above, below = (float(1 + (floor * sign >= value * sign).sum()) / (1 + len(floor)) for sign in (1, -1))
    p = min(1.0, 2 * min(above, below)) if metric.facts["DIRECTION"] == "none" else above if metric.facts["DIRECTION"] == "lower" else below
    floored = {"floor_mean": float(floor.mean()), "floor_q95": float(np.quantile(floor, 0.95)), "p": p}
    return entry | floored | {"sets": sets, "draws": n}


def _entry(metric: Metric, ended: Ended) -> Scored:
    nothing = dict.fromkeys(("value", "low", "high", "floor_mean", "floor_q95", "p", "sets", "draws"))
    return {"metric": str(metric.spec), "label": metric.spec.label, **nothing, "status": str(ended)}


def _interval(estimate: Estimate) -> tuple[float, float, float]:
    value, error = (part.double().flatten().cpu().numpy() for part in estimate)
    if len(value) > 1:
        return statistics.t_interval(value)
    return float(value[0]), float(value[0] - 1.96 * error[0]), float(value[0] + 1.96 * error[0])


def show(told: list[str], scored: list[Scored], settings: str) -> None:
    """The same as a table."""
    console = console_for()
    for line in [*told, settings]:
        console.print(line)
    shown = table("metric", "value [95 % interval]", "exact draws, 95 % below", "p", "of")
    for entry in scored:
        if entry["status"] != str(OK):
            shown.add_row(entry["label"], entry["status"])
            continue
        star = " ★" if entry["p"] is not None and entry["p"] < ALPHA else ""
        value = f"{entry['value']:.3g} [{entry['low']:.3g}, {entry['high']:.3g}]{star}"
        floor = "no floor" if entry["p"] is None else f"{entry['floor_q95']:.3g}"
        of = "" if entry["sets"] is None else f"{entry['sets']} x {entry['draws']:,} draws"
        shown.add_row(entry["label"], value, floor, "" if entry["p"] is None else f"{entry['p']:.2g}", of)
    console.print(shown)
    console.print(
        "★: further from the target than exact draws beyond chance (Holm over all metrics, 5 %). No star is no proof: see the floor."
    )
