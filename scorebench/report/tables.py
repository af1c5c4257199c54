"""The tables with their intervals, one number a row.

CSV tables are long; Markdown and LaTeX show the same, a metric a column (`report.render`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scorebench.claims.base import CORRECTED, IDENTITY
from scorebench.core import registry, schema
from scorebench.core.schema import ClaimResult, Number, Quantity, Status
from scorebench.core.spec import Spec, parse
from scorebench.report import choosing, statistics
from scorebench.report.choosing import CELL, competes, is_control, of_all_data
from scorebench.store.trained import Training
from scorebench.suite import jobs
from scorebench.suite.jobs import LEARNING_RATE, Train

if TYPE_CHECKING:  # planning is no part of what the job runs: the settings that it makes count
    from scorebench.suite.plan import Plan

OTHERS = (Status.DIVERGED, Status.FAILED, Status.TIMEOUT, Status.NOT_APPLICABLE)
"""Columns that count the seeds that are not ok."""


def losses(rows: pd.DataFrame, metrics: list[Spec], margin: float) -> pd.DataFrame:
    """Every trained source after its last step, what the last doubling gained, and how it stands to the best on the target."""
    about = choosing.about(metrics, "source")
    sources = of_all_data(rows[rows["metric"].isin([str(metric) for metric in about]) & (rows["sampler"] == "") & (rows["loss"] != "")])
    last = choosing.at_end(sources)
    table = _table(schema.LOSSES, choosing.summaries(last, [*SOURCE, "sigma", "train_steps"]))
    gains = {key: _gain(group) for key, group in sources.groupby([*SOURCE, "metric"])}
    keys = table[[*SOURCE, "metric"]].itertuples(index=False, name=None)
    table[list(GAIN)] = np.array([gains[key] for key in keys]).reshape(-1, len(GAIN))
    ranking = [metric for metric in about if choosing.lower_is_better(metric)]
    return choosing.ranked(table, last[last["loss"].map(competes).astype(bool)], ["model", "loss"], lambda target: ranking, margin)


SOURCE = ["target", "model", "loss"]
GAIN = ("gain", "gain_low", "gain_high")


def _gain(rows: pd.DataFrame) -> statistics.Interval:
    """Of one source and metric, what the last stretch of steps took away: the ratio of a divergence, before over after, or the difference; seeds in pairs."""
    *_, before, after = [None, *(group for _, group in rows.groupby("train_steps"))]
    if before is None:
        return statistics.Interval(np.nan, np.nan, np.nan)
    log = bool(parse("metric", str(rows["metric"].iloc[0])).entry.facts.get("LOG"))
    pairs = before[choosing.is_ok(before)].merge(after[choosing.is_ok(after)], on="seed")
    a, b = (pairs[column].to_numpy(float) for column in ("value_x", "value_y"))
    return statistics.t_interval(a / b if log else a - b, log)


def samplers(
    chosen: pd.DataFrame,
    metrics: list[Spec],
    margin: float,
    rank_by: Mapping[str, str | None] = {},
    late: Collection[tuple[str, str]] = (),
) -> pd.DataFrame:
    """Every source and sampler at each temperature, after the whole budget, from the rows `at_best_steps`.

    The best on the exact score and the best of a trained source with its sampler are found apart; controls do not compete. With a trained source no
    sampler does that is `late`, target and method: what does not arrive on the exact score shows its start, which may be better than the trained law.
    """
    table = _table(schema.SAMPLERS, choosing.summaries(chosen, [*CELL, "step_size", "steps", "gradient_evaluations"]))
    controls = [sampler for sampler in chosen["sampler"].unique() if is_control(sampler)]
    rivals = chosen[(chosen["temperature"] == 1) & (chosen["gradient_evaluations"] > 0) & ~chosen["sampler"].isin(controls)]
    criteria = {str(target): choosing.telling(here, metrics, rank_by.get(str(target))) for target, here in chosen.groupby("target")}
    of_loss = rivals[rivals["loss"].map(competes).astype(bool)]
    arrives = [(target, str(parse("sampler", sampler).method)) not in late for target, sampler in of_loss[["target", "sampler"]].to_numpy()]
    for family in (rivals[rivals["model"] == ""], of_loss[np.array(arrives, bool)]):
        table = choosing.ranked(table, family, ["model", "loss", "sampler", "temperature"], criteria.__getitem__, margin)
    return table


def _table(kind: schema.Table, summaries: list[dict[str, Any]]) -> pd.DataFrame:
    rows = [dict.fromkeys(OTHERS, 0) | {"leads": False, "best": False} | summary for summary in summaries]
    return kind.frame([{name: value for name, value in row.items() if name in kind.columns} for row in rows])


Trainings = Sequence[tuple[Train, Training]]


def learning_rates(trainings: Trainings) -> pd.DataFrame:
    """What was swept, each loss's validation value at each rate, and the rate that was chosen."""
    rows = [row for row in _swept(trainings) if row["option"] == LEARNING_RATE]
    return schema.LEARNING_RATES.frame([row | {LEARNING_RATE: row["value"]} for row in rows])


def tuned(trainings: Trainings) -> pd.DataFrame:
    """The same of losses that tune an option of their own."""
    return schema.TUNED.frame([row for row in _swept(trainings) if row["option"] != LEARNING_RATE])


def _swept(trainings: Trainings) -> Iterator[dict[str, Any]]:
    for train, training in trainings:
        option, _ = jobs.swept(train.loss, train.experiment.training)
        nowhere: tuple[dict[float, list[Number]], ...] = ({},) * len(training.sweep)
        for loss, by_value, divergences, chosen in zip(
            training.losses, training.sweep, training.divergences or nowhere, training.chosen, strict=False
        ):
            best = np.array(by_value[chosen], float)
            for value, values in by_value.items():
                key = {"target": str(train.target), "model": str(train.model), "loss": loss, "option": option, "value": value}
                above = statistics.t_interval(np.array(values, float) - best)
                divergence = statistics.t_interval(divergences.get(value, ()), log=True)
                beside = dict(zip(schema.EXCESS, (*above, *divergence), strict=True))
                yield key | statistics.t_interval(values)._asdict() | beside | {"seeds": len(values), "chosen": value == chosen}


def claims(results: Sequence[ClaimResult], plan: Plan) -> pd.DataFrame:
    """A row a claim: its verdict, how many of its numbers agree, one number that tells, and where to read on."""
    rows = []
    for claim in results:
        row = {name: getattr(claim, name) for name in ("id", "label", "source", "expected", "verdict", "reason")} | counts(claim)
        if number := telling_number(claim):
            row |= {"number": number.name} | {name: getattr(number, name) for name in ("predicted", "measured", "standard_error")}
        figure = plan.figure_of_claim.get(claim.id)
        row |= {"file": registry.entry("claim", claim.id).file, "numbers": f"claims/{claim.id}.json"}
        rows.append(row | {"figure": f"figures/{figure}.pdf" if figure else ""})
    return schema.CLAIMS.frame(rows)


def counts(claim: ClaimResult) -> dict[str, int]:
    """How many numbers follow from a claim's statement and from what holds instead, and how many of each agree."""
    corrected = [quantity.agrees for quantity in claim.quantities if quantity.group == CORRECTED]
    stated = [quantity.agrees for quantity in _stated(claim)]
    return {"stated": len(stated), "stated_agree": sum(stated), "corrected": len(corrected), "corrected_agree": sum(corrected)}


def telling_number(claim: ClaimResult) -> Quantity | None:
    """The first number that the statement gets wrong; the leading one where it gets none wrong; None if nothing was measured."""
    wrong = (quantity for quantity in _stated(claim) if not quantity.agrees)
    leading = (quantity for quantity in claim.quantities if quantity.name == claim.leading)
    return next(wrong, None) or next(leading, None)


def _stated(claim: ClaimResult) -> list[Quantity]:
    return [quantity for quantity in claim.quantities if quantity.group not in (IDENTITY, CORRECTED)]
