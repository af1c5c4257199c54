"""What is compared with what: which seeds judge, at which step size and tuned options a sampler is shown, which metrics can rank, who leads."""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from scorebench.core.schema import OK
from scorebench.core.spec import Spec, parse, parse_all
from scorebench.report import paired, statistics
from scorebench.report.paired import Standing
from scorebench.suite.jobs import gradients

SEEN = 4.0
"""How many times what 95 % of means over exact draws give a metric's mean must be for samples that nothing was done to, to rank samplers by it."""
CELL = ["target", "model", "loss", "sampler", "temperature"]
METHOD = ["target", "model", "loss", "method", "temperature"]


def halves(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Whether a row's seed chooses steps and tuned options, and whether it judges: the first half of a target's seeds, and the second.

    All do both where there is nothing to choose: of samplers on the exact score, or of those on trained sources, no method has two cells.
    """
    second = rows["seed"] >= (rows.groupby("target")["seed"].transform("max") + 1) // 2
    cell = rows["sampler"] + rows["step_size"].astype(str)
    several = cell.groupby([rows["target"], rows["model"], rows["loss"], methods(rows), rows["temperature"]]).transform("nunique") > 1
    choice = several.groupby([rows["target"], rows["model"] == ""]).transform("any")
    return ~second | ~choice, second | ~choice


def is_ok(rows: pd.DataFrame) -> pd.Series:
    """Whether a row has a value that counts."""
    return rows["status"] == OK.status


def is_control(sampler: str) -> bool:
    """Whether a sampler starts from exact draws, and so competes with nobody."""
    return parse("sampler", sampler).entry.facts.get("START") == "target"


def competes(loss: str) -> bool:
    """A loss that is given the true score is a yardstick, not a competitor."""
    return bool(loss) and ("target", "score") not in parse("loss", loss).needs


def about(metrics: Sequence[Spec], what: str) -> list[Spec]:
    """The metrics about a "source" or a "sampler"."""
    return [metric for metric in metrics if metric.entry.facts.get("ABOUT", "sampler") == what]


def lower_is_better(metric: Spec) -> bool:
    """Whether a metric can rank."""
    return metric.entry.facts.get("DIRECTION") == "lower"


def methods(rows: pd.DataFrame) -> pd.Series:
    """Each row's sampler without the options that it tunes: what has one best cell. Two values of one, named by hand or by a grid, are one method."""
    return rows["sampler"].map({text: str(parse("sampler", text).method) if text else "" for text in rows["sampler"].unique()})


def at_best_steps(rows: pd.DataFrame, metrics: list[Spec], rank_by: Mapping[str, str | None] = {}) -> pd.DataFrame:
    """The rows after the whole budget at each method's best step size and tuned options, on the seeds that had no say in them.

    They are chosen on the first half of the seeds (`halves`), by what the target is to be ranked by, or the suite's first metric that has a floor, is better
    when lower, has values there and sees that the control which does nothing is far off (`telling`); the rows are those of the rest. Where there is no such
    metric nothing is chosen, and every step is kept.
    """
    names = {str(metric) for metric in about(metrics, "sampler")}
    sampled = rows[(rows["sampler"] != "") & rows["metric"].isin(names)]
    longest = sampled.groupby(["target", "model", "loss", "sampler"])["steps"].transform("max")
    whole = sampled[sampled["steps"].isna() | (sampled["steps"] == longest)]
    chooses, judges = halves(whole)
    chosen = [
        _best_steps(choosing, telling(choosing, metrics, rank_by.get(str(target))))
        for target, choosing in whole[chooses].groupby("target", sort=False)
    ]
    steps = pd.concat(chosen) if chosen else whole[[*CELL, "step_size"]]
    return whole[judges].merge(steps, on=[*CELL, "step_size"])


def telling(rows: pd.DataFrame, metrics: list[Spec], first: str | None = None) -> list[Spec]:
    """The metrics that can rank samplers on one target: with a floor, better when lower, and SEEN times its `floor` for a sampler that has done nothing.

    In the suite's order, but for the one that is to be `first`, whatever it sees.

    A narrow kernel in many dimensions has no neighbours: it takes the prior for the target. All are kept where no such control was sampled.
    """
    floored = [metric for metric in metrics if metric.entry.facts.get("FLOOR") and lower_is_better(metric)]
    named = [parse("metric", first)] if first else []
    samplers = parse_all("sampler", rows["sampler"].unique())
    idle = [str(sampler) for sampler in samplers if gradients(sampler) == 0 and not sampler.entry.facts.get("EXACT")]
    if not idle:
        return [*named, *floored]
    control = rows[rows["sampler"].isin(idle) & (rows["temperature"] == 1) & is_ok(rows)]
    seeing = {metric for metric, its in control.groupby("metric") if its["value"].mean() > SEEN * floor(its)}
    return [*named, *([metric for metric in floored if str(metric) in seeing] or floored)]


def _best_steps(rows: pd.DataFrame, criteria: list[Spec]) -> pd.DataFrame:
    """For each method on one target the sampler and step size with the smallest mean of the first criterion that has values there."""
    steps = [*CELL, "step_size"]
    measured = set(rows.loc[is_ok(rows), "metric"])
    criterion = next((str(metric) for metric in criteria if str(metric) in measured), None)
    if criterion is None:
        return rows[steps].drop_duplicates()
    values = rows[rows["metric"] == criterion]
    # A step that diverged on one seed is not chosen while another did not.
    values = values.assign(value=values["value"].where(is_ok(values), np.inf))
    means = values.groupby(steps, dropna=False, sort=False)["value"].mean().reset_index()
    means = means.assign(method=methods(means))
    return means.sort_values("value", kind="stable").drop_duplicates(METHOD)[steps]


Z = float(ndtri(0.95))


def floor(rows: pd.DataFrame) -> float:
    r"""Below it are 95 % of means of a metric over as many sets of exact draws as the rows have seeds; NaN where they have no floor.

    Of a mean of k values with mean m, standard deviation s and skewness g it is m + s/sqrt(k) (z + g (z^2 - 1)/(6 sqrt(k))), up to O(k^(-3/2)), with z = 1.645
    (Cornish and Fisher 1938, section 3). With k = 1 that is `floor_q95` of the rows, whence g:

    q_k = m + z s/sqrt(k) + (q_1 - m - z s)/k

    exact of one seed, and of a normal metric. Of a chi-squared one with a single degree of freedom, as skewed as these come, 5.7 % of means over 5 or 10
    seeds are above; 6.5 and 6.9 % where the three are from 200 sets, as a run's. For a metric with LOG, whose shown mean is geometric, it is an upper bound.
    """
    return _floor(rows["seed"].nunique(), [rows[name].to_numpy(float) for name in FLOORS])


FLOORS = ("floor_mean", "floor_sd", "floor_q95")


def _floor(k: int, columns: Sequence[np.ndarray]) -> float:
    known = [column[~np.isnan(column)] for column in columns]
    if not k or not all(map(len, known)):
        return np.nan
    mean, sd, q95 = (column.mean() for column in known)
    return float(mean + Z * sd / k**0.5 + (q95 - mean - Z * sd) / k)


def of_all_data(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of each target's largest training set: those of smaller ones are a question of their own."""
    size = rows["train_size"].fillna(0)
    return rows[size == size.groupby(rows["target"]).transform("max")]


def at_end(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of each trained source, on all data, after its last step."""
    rows = of_all_data(rows)
    return rows[rows["train_steps"] == rows.groupby(["target", "model", "loss"])["train_steps"].transform("max")]


def standings(rows: pd.DataFrame, method: list[str], metric: Spec, margin: float) -> dict[Any, Standing]:
    """How the methods stand by one metric, the best first; nobody where it has no values.

    Two that are both below the `floor`, as good as exact draws, are not told apart. A method with a seed that is not `ok` neither leads nor is a rival.
    """
    here, log = rows[rows["metric"] == str(metric)], bool(metric.entry.facts.get("LOG"))
    values, low = {}, {}
    for key, group in here.sort_values("seed").groupby(method, sort=False):
        its = group["value"].to_numpy(float)
        if is_ok(group).all() and np.isfinite(statistics.t_interval(its, log).mean):
            values[key], low[key] = its, its.mean() <= floor(group)
    if not values:
        return {}
    (best, first), *rivals = paired.standings(values, log, margin).items()
    told = {key: its._replace(word="undecided") if low[best] and low[key] and its.word == "worse" else its for key, its in rivals}
    return {best: first._replace(word="undecided") if any(told[k] != its for k, its in rivals) else first} | told


def ranked(
    table: pd.DataFrame, rivals: pd.DataFrame, method: list[str], criteria: Callable[[str], list[Spec]], margin: float
) -> pd.DataFrame:
    """The table with the words of each target's rivals by the first of its criteria that has values there; the lowest mean `leads`, and is `best` where it is
    better.
    """
    for target, here in rivals.groupby("target", sort=False):
        found = ((metric, standings(here, method, metric, margin)) for metric in criteria(str(target)))
        for metric, by_method in itertools.islice((pair for pair in found if pair[1]), 1):
            shown = table[(table["target"] == target) & (table["metric"] == str(metric))]
            place = dict(zip(shown[method].itertuples(index=False, name=None), shown.index, strict=True))
            for key, standing in by_method.items():
                for column, value in standing._asdict().items():
                    table.loc[place[key], column] = value
            first = next(iter(by_method))
            table.loc[place[first], ["leads", "best"]] = True, by_method[first].word == "better"
    return table


def summaries(rows: pd.DataFrame, keys: list[str]) -> list[dict[str, Any]]:
    """For each of `keys` and metric the mean across the seeds that are ok with its interval, how the others ended, and the `floor` of that mean."""
    keys, entries = [*keys, "metric"], list[dict[str, Any]]()
    reals = {name: rows[name].to_numpy(float) for name in ("value", *FLOORS)}
    others = {name: rows[name].to_numpy(object) for name in (*keys, "seed", "status", "reason")}
    number = rows.groupby(keys, dropna=False, sort=False).ngroup().to_numpy()
    order = np.argsort(number, kind="stable")
    for places in np.split(order, np.flatnonzero(np.diff(number[order])) + 1) if len(rows) else ():
        here = {name: column[places] for name, column in (others | reals).items()}
        ok, facts = here["status"] == OK.status, parse("metric", here["metric"][0]).entry.facts
        interval = statistics.t_interval(here["value"][ok], log=bool(facts.get("LOG")))
        counts = Counter(map(str, here["status"]))
        entry: dict[str, Any] = {name: here[name][0] for name in keys} | interval._asdict() | counts
        entry |= {"seeds": counts[str(OK.status)], "reason": next(filter(None, here["reason"]), "")}
        if facts.get("FLOOR"):
            mean = here["floor_mean"]
            q95 = _floor(len(set(here["seed"][ok])), [here[name][ok] for name in FLOORS])
            entry |= {"floor_mean": next(iter(mean[~np.isnan(mean)]), np.nan), "floor_q95": q95}
        entries.append(entry)
    return entries
