"""What is compared with what: which seeds judge, at which step size a sampler is shown, which metrics can rank, who leads."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scorebench.core.schema import OK
from scorebench.core.spec import Spec, parse
from scorebench.report import statistics

ALPHA = 0.05
SEEN = 4.0
"""How many times what 95 % of exact draws give a metric must be for samples that nothing was done to, to rank samplers by it."""
CELL = ["target", "model", "loss", "sampler", "temperature"]


def judging(rows: pd.DataFrame) -> pd.Series:
    """Whether a row's seed is of the second half of its target's, which judges; the first half chooses."""
    return rows["seed"] >= (rows.groupby("target")["seed"].transform("max") + 1) // 2


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


def at_best_steps(rows: pd.DataFrame, metrics: list[Spec]) -> pd.DataFrame:
    """The rows after the whole budget at each method's best step size, on the seeds that had no say in it.

    The step is chosen on the first half of the seeds, by the suite's first metric that has a floor, is better when lower, has values on the
    target and sees there that the control which does nothing is far off (`telling`); the rows are those of the rest. Where there is no such metric
    nothing is chosen, and every step is kept.
    """
    names = {str(metric) for metric in about(metrics, "sampler")}
    sampled = rows[(rows["sampler"] != "") & rows["metric"].isin(names)]
    longest = sampled.groupby(["target", "model", "loss", "sampler"])["steps"].transform("max")
    whole = sampled[sampled["steps"].isna() | (sampled["steps"] == longest)]
    chosen = [_best_steps(choosing, telling(choosing, metrics)) for _, choosing in whole[~judging(whole)].groupby("target", sort=False)]
    steps = pd.concat(chosen) if chosen else whole[[*CELL, "step_size"]]
    return whole[judging(whole)].merge(steps, on=[*CELL, "step_size"])


def telling(rows: pd.DataFrame, metrics: list[Spec]) -> list[Spec]:
    """The metrics that can rank samplers on one target: with a floor, better when lower, and SEEN times it for a sampler that has done nothing.

    A narrow kernel in many dimensions has no neighbours: it takes the prior for the target. All are kept where no such control was sampled.
    """
    floored = [metric for metric in metrics if metric.entry.facts.get("FLOOR") and lower_is_better(metric)]
    facts = {sampler: parse("sampler", sampler).entry.facts for sampler in rows["sampler"].unique()}
    idle = [sampler for sampler, its in facts.items() if its.get("GRADIENTS") == 0 and not its.get("EXACT")]
    if not idle:
        return floored
    control = rows[rows["sampler"].isin(idle) & (rows["temperature"] == 1) & is_ok(rows)]
    means = control.groupby("metric")[["value", "floor_q95"]].mean()
    seeing = set(means.index[means["value"] > SEEN * means["floor_q95"]])
    return [metric for metric in floored if str(metric) in seeing] or floored


def _best_steps(rows: pd.DataFrame, criteria: list[Spec]) -> pd.DataFrame:
    """For each cell of one target the step size with the smallest mean of the first criterion that has values there."""
    steps = [*CELL, "step_size"]
    measured = set(rows.loc[is_ok(rows), "metric"])
    criterion = next((str(metric) for metric in criteria if str(metric) in measured), None)
    if criterion is None:
        return rows[steps].drop_duplicates()
    values = rows[rows["metric"] == criterion]
    # A step that diverged on one seed is not chosen while another did not.
    values = values.assign(value=values["value"].where(is_ok(values), np.inf))
    means = values.groupby(steps, dropna=False, sort=False)["value"].mean().reset_index()
    return means.sort_values("value", kind="stable").drop_duplicates(CELL)[steps]


def ranked(table: pd.DataFrame, rivals: pd.DataFrame, method: list[str], criteria: Callable[[str], list[Spec]]) -> pd.DataFrame:
    """The table with `leads` for the lowest mean on a target by the first of its criteria that has values there, `best`, where that is significant,
    and `p_leader`.

    `p_leader` is each rival's, across seeds (`statistics.leader`); 1 where both are below the floor, as good as exact draws. A method with a seed that
    is not `ok` neither leads nor is a rival.
    """
    for target, here in rivals.groupby("target", sort=False):
        for metric in criteria(str(target)):
            rows = here[here["metric"] == str(metric)]
            whole = is_ok(rows).groupby([rows[column] for column in method]).transform("all")
            rows = rows[whole].sort_values("seed")
            groups = {key: group["value"].to_numpy(float) for key, group in rows.groupby(method, sort=False)}
            if not groups:
                continue
            leader, p_values = statistics.leader(groups, bool(metric.entry.facts.get("LOG")))
            means = rows.groupby(method, sort=False)[["value", "floor_q95"]].mean()
            low = (means["value"] <= means["floor_q95"]).to_dict()
            p_values = {rival: 1.0 if low[leader] and low[rival] else p for rival, p in p_values.items()}
            shown = table[(table["target"] == target) & (table["metric"] == str(metric))]
            place = dict(zip(shown[method].itertuples(index=False, name=None), shown.index, strict=True))
            table.loc[place[leader], ["leads", "best"]] = True, bool(p_values) and max(p_values.values()) < ALPHA
            for rival, p in p_values.items():
                table.loc[place[rival], "p_leader"] = p
            break
    return table


def summaries(rows: pd.DataFrame, keys: list[str]) -> list[dict[str, Any]]:
    """For each of `keys` and metric the mean across the seeds that are ok with its interval, how the others ended, and the floor."""
    entries: list[dict[str, Any]] = []
    for key, group in rows.groupby([*keys, "metric"], dropna=False, sort=False):
        facts = parse("metric", str(group["metric"].iloc[0])).entry.facts
        interval = statistics.t_interval(group.loc[is_ok(group), "value"].to_numpy(float), log=bool(facts.get("LOG")))
        counts = {str(status): int(n) for status, n in group["status"].value_counts().items()}
        entry: dict[str, Any] = {**dict(zip([*keys, "metric"], key, strict=True)), **interval._asdict(), **counts}
        entry |= {"seeds": counts.get(OK.status, 0), "reason": next(iter(group.loc[group["reason"] != "", "reason"]), "")}
        if facts.get("FLOOR"):
            entry |= {name: next(iter(group[name].dropna()), np.nan) for name in ("floor_mean", "floor_q95")}
        entries.append(entry)
    return entries
