"""What to use, as far as a run can tell: for each target the leading loss, sampler, and loss with its sampler, and which rivals are not told from it.

A sampler on the exact score is chosen by its work where the suite compares samplers so on the target (`report.ranking`), else by a metric.
"""

import itertools
from dataclasses import dataclass

import pandas as pd

from scorebench.core.spec import parse
from scorebench.report.choosing import ALPHA, CELL
from scorebench.report.ranking import Leader, cell, leaders
from scorebench.store.results import Results

SAMPLER = "sampler, on the exact score"


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
    answers = {what: [_answer(what, table, row) for _, row in table[table["leads"]].iterrows()] for what, table in questions}
    answers[SAMPLER] += raced
    order = [str(on.target) for on in results.plan.targets.values()]
    return sorted(itertools.chain.from_iterable(answers.values()), key=lambda answer: order.index(answer.spec))


def _raced(leader: Leader) -> Recommendation:
    evidence = "; ".join(filter(None, [leader.work, leader.bias]))
    best = leader.word == "better"
    return Recommendation(leader.target, leader.label, SAMPLER, leader.choice, evidence, leader.against, leader.others, best)


def _answer(what: str, table: pd.DataFrame, row: pd.Series) -> Recommendation:
    rivals = table[(table["target"] == row["target"]) & (table["metric"] == row["metric"]) & table["p_leader"].notna()]
    tied = [_choice(rival) for _, rival in rivals[rivals["p_leader"] >= ALPHA].iterrows()]
    against = "no rival"
    if row["seeds"] == 1:
        against = "one seed judges: no interval, no test"
    elif len(rivals):
        others = "its one rival" if len(rivals) == 1 else f"each of {len(rivals)} rivals"
        against = f"tied with {len(tied)} of {len(rivals)}" if tied else f"significantly better than {others}"
    number = f"{parse('metric', row['metric']).label} {row['mean']:.3g}"
    if pd.notna(row["low"]):
        number += f" [{row['low']:.3g}, {row['high']:.3g}]"
    if pd.notna(row.get("floor_q95")):
        number += f" (95 % of {'exact draws' if row['seeds'] == 1 else 'such means of exact draws'}: below {row['floor_q95']:.2g})"
    number += f", {'one seed' if row['seeds'] == 1 else str(row['seeds']) + ' seeds'}{_mixed(table, row)}"
    target = parse("target", row["target"])
    return Recommendation(row["target"], target.label, what, _choice(row), number, against, tied, bool(row["best"]))


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
    parts = []
    if row["loss"]:
        parts.append(f"{parse('loss', row['loss']).label} ({parse('model', row['model']).label})")
    if "sampler" in row:
        parts.append(cell(row))
    return " with ".join(parts)
