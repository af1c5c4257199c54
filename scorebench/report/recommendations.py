"""What to use, as far as a run can tell: for each target the leading loss, sampler, and loss with its sampler, and which rivals are not told from it.

A sampler on the exact score is chosen by its work where the suite compares samplers so on the target (`report.ranking`), else by a metric.
"""

import itertools
from dataclasses import dataclass

import pandas as pd

from scorebench.core.spec import parse
from scorebench.report.choosing import CELL
from scorebench.report.ranking import Leader, cell, leaders, with_ends
from scorebench.store.results import Results

SAMPLER = "sampler, on the exact score"
MARGIN = 1.25
"""A gain of the last doubling that has to be excluded, to say that a divergence has come to its end (`engine.judging.judge`)."""


@dataclass(frozen=True)
class Recommendation:
    """The answer to one question on one target."""

    spec: str
    target: str
    what: str
    choice: str
    evidence: str
    rivals: str
    tied: list[str]
    best: bool

    def standing(self, most: int) -> str:
        """How the choice stands against its rivals, with the names of at most so many that are not worse."""
        more = [f"{len(self.tied) - most} more"] if len(self.tied) > most else []
        return ": ".join(filter(None, [self.rivals, "; ".join([*self.tied[:most], *more])]))


def recommendations(results: Results) -> list[Recommendation]:
    """One for each question that a target answers, in the suite's order of targets."""
    losses, samplers = results.table("losses"), results.table("samplers")
    exact = samplers["model"] == ""
    raced = [_raced(leader) for leader in leaders(results.table("work"))] if results.plan.works else []
    by_metric = samplers[exact & ~samplers["target"].isin([answer.spec for answer in raced])]
    questions = (("loss", losses), (SAMPLER, by_metric), ("loss with its sampler", samplers[~exact]))
    worse = _sampled_worse(losses, samplers[~exact])
    answers = {what: [_answer(what, table, row, worse) for _, row in table[table["leads"]].iterrows()] for what, table in questions}
    answers[SAMPLER] += raced
    order = [str(on.target) for on in results.plan.targets.values()]
    return sorted(itertools.chain.from_iterable(answers.values()), key=lambda answer: order.index(answer.spec))


def _raced(leader: Leader) -> Recommendation:
    evidence = "; ".join(filter(None, [leader.work, leader.bias]))
    best = leader.word == "better"
    return Recommendation(leader.target, leader.label, SAMPLER, leader.choice, evidence, leader.against, leader.others, best)


def _answer(what: str, table: pd.DataFrame, row: pd.Series, worse: dict[str, pd.Series]) -> Recommendation:
    same = table[(table["target"] == row["target"]) & (table["metric"] == row["metric"])]
    rivals = same[same["apart"].notna() & ~same["leads"]].sort_values("apart")
    level = rivals[rivals["word"] != "worse"]
    against, others = "no rival", [f"{_choice(rival)}, {_apart(rival)}{_seen(rival)}" for _, rival in level.iterrows()]
    if row["seeds"] == 1:
        against = "one seed judges: no interval, no test"
    elif row["best"]:
        each = "its one rival" if len(rivals) == 1 else f"each of {len(rivals)} rivals; the next"
        against = f"better than {each}: {_choice(rivals.iloc[0])}, {_apart(rivals.iloc[0])}"
    elif len(rivals):
        against = f"{'equivalent to' if row['word'] == 'equivalent' else 'undecided with'} {len(level)} of {len(rivals)}"
    number = f"{parse('metric', row['metric']).label} {with_ends(*row[['mean', 'low', 'high']])}"
    if pd.notna(row.get("floor_q95")):
        number += f" (95 % of {'exact draws' if row['seeds'] == 1 else 'such means of exact draws'}: below {row['floor_q95']:.2g})"
    number += f", {'one seed' if row['seeds'] == 1 else str(row['seeds']) + ' seeds'}{_mixed(table, row)}{_beside(table, row)}"
    if "sampler" in row and row["loss"] and (source := worse.get(row["target"])) is not None:
        number += f"; {_choice(source)}, whose {parse('metric', source['metric']).label} is lower, gives the worse samples"
    elif "sampler" not in row and row["target"] in worse:
        number += "; its samples are worse than those of the best loss with its sampler"
    target = parse("target", row["target"])
    return Recommendation(row["target"], target.label, what, _choice(row), number, against, others, bool(row["best"]))


def _apart(row: pd.Series) -> str:
    """How far behind the best."""
    ends = with_ends(*row[["apart", "apart_low", "apart_high"]])
    return f"{ends} times as much" if _is_log(row) else f"{ends} more"


def _seen(row: pd.Series) -> str:
    """What would have been told from nothing."""
    if row["word"] != "undecided" or pd.isna(row["detectable"]):
        return ""
    return f" ({row['detectable']:.3g}{' times' if _is_log(row) else ''} would have been seen)"


def _is_log(row: pd.Series) -> bool:
    return bool(parse("metric", row["metric"]).entry.facts.get("LOG"))


def _beside(table: pd.DataFrame, row: pd.Series) -> str:
    """Of a row of the losses' table whether more steps would gain, and what a divergence does not see."""
    if "gain" not in table:
        return ""
    told, nothing = "", 1.0 if _is_log(row) else 0.0
    gain = f"{'a factor of ' * _is_log(row)}{with_ends(*row[['gain', 'gain_low', 'gain_high']])}"
    if row["gain_low"] > nothing:
        told = f"; not converged after {row['train_steps']:,} steps: the last doubling gained {gain}"
    elif row["gain_high"] > MARGIN:
        told = f"; whether it is converged after {row['train_steps']:,} steps is not known: the last doubling gained {gain}"
    same = table[(table[["target", "model", "loss"]] == row[["target", "model", "loss"]]).all(axis=1)]
    for _, other in same[same["metric"].map(_is_of_the_law) & same["mean"].notna()].iterrows():
        told += f"; {parse('metric', other['metric']).label} {with_ends(*other[['mean', 'low', 'high']])}"
    return told


def _sampled_worse(losses: pd.DataFrame, samplers: pd.DataFrame) -> dict[str, pd.Series]:
    """By target, the loss that leads by itself where it is told from that of the best samples, and its own, by whichever sampler, are significantly worse."""
    worse = {}
    for _, source in losses[losses["leads"]].iterrows():
        here = samplers[samplers["target"] == source["target"]]
        best = here[here["leads"]].merge(
            losses[losses["metric"] == source["metric"]], on=["target", "model", "loss"], suffixes=("", "_of_loss")
        )
        ranked = here[here["metric"].isin(best["metric"]) & (here["word"] != "") & here["word"].notna()]
        its = ranked[(ranked[["model", "loss"]] == source[["model", "loss"]]).all(axis=1)]
        if len(its) and (its["word"] == "worse").all() and (best["word_of_loss"] == "worse").all():
            worse[source["target"]] = source
    return worse


def _is_of_the_law(metric: str) -> bool:
    return bool(parse("metric", metric).entry.facts.get("EXACT"))


def _mixed(table: pd.DataFrame, row: pd.Series) -> str:
    """R-hat of a row of the samplers' table, or why there is none, where it was asked for."""
    if "sampler" not in table:
        return ""
    same = table[(table["metric"] == "rhat") & (table[CELL] == row[CELL]).all(axis=1)]
    if same.empty:
        return ""
    mean, reason = same[["mean", "reason"]].iloc[0]
    return f"; R-hat {mean:.2f}" if pd.notna(mean) else f"; no R-hat{f': {reason}' if reason else ''}"


def _choice(row: pd.Series) -> str:
    return " with ".join(filter(None, [source(row["model"], row["loss"]), cell(row) if "sampler" in row else ""]))


def source(model: str, loss: str) -> str:
    """A loss and its model by their labels; "" of the exact score."""
    return f"{parse('loss', loss).label} ({parse('model', model).label})" if loss else ""
