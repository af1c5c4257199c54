r"""Does a fresh run agree with the committed reference? Cell by cell, within the stated errors, and as a whole.

A cell is a metric of a source, or of a source, sampler, step size and temperature after the whole budget; its values are those of the seeds, on a log
scale for divergences. Two runs have independent seeds (or the same, which can only bring them nearer). With n1 and n2 values, a cell

    agrees    if |t| <= the 99.9 % quantile of Student's law at n1 + n2 - 2 degrees of freedom, t the pooled two-sample statistic;

where seeds diverged or failed in either run, the share of seeds that are ok is a cell, too. By chance one cell in a thousand disagrees, and cells
are far from independent (they share random numbers), so that a count says little by itself. The run as a whole

    fails     if   some cell has a p value below ALPHA/2 over the number of cells (Bonferroni),
              or   the sum over cells of the log likelihood ratio, sum_cells N log(1 + t^2/(N - 2)), is so large that fewer than ALPHA/2 of the
                   relabellings of the seeds, within each target, give a larger one: a permutation test, exact for exchangeable seeds under
                   any dependence between cells (Fisher 1935; Pesarin 2001);
              or   a claim's verdict has changed, or one of its numbers is off by more than the agreement rule of claims allows for two runs.

The first sees one cell that is far off, the second a small shift of many. The learning rate of a source is chosen once for all its seeds: where two runs
chose differently their seeds are not exchangeable, and such a source and what was sampled from it is told, not compared. Values are kept to six
digits: a cell whose values, of both runs together, spread by less than 1e-5 of their size agrees, so that no smaller shift is seen.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from scorebench.core.errors import InputError
from scorebench.core.schema import Status
from scorebench.core.spec import parse

ALPHA, CELL_LEVEL, PERMUTATIONS, MOST = 1e-3, 1e-3, 9_999, 1e4
"""False alarms of a whole comparison of cells; of one cell; relabellings; the largest t^2 that is counted (a cell without spread has no other)."""
A_BLOCK = 100
"""Relabellings at a time."""
CELL = ["target", "model", "loss", "train_size", "train_steps", "sampler", "step_size", "temperature", "metric"]


def cells(rows: pd.DataFrame) -> pd.DataFrame:
    """The values that are compared: after the whole budget, a row a cell and seed, six digits, NaN where the seed is not ok."""
    kept = rows[rows["status"] != Status.NOT_APPLICABLE]
    longest = kept.groupby(["target", "model", "loss", "sampler"])["steps"].transform("max")
    kept = kept[kept["steps"].isna() | (kept["steps"] == longest)]
    values = kept["value"].where(kept["status"] == Status.OK).map(lambda v: float(f"{v:.6g}"))
    return kept[[*CELL, "seed"]].assign(value=values).reset_index(drop=True)


def choices(learning_rates: pd.DataFrame, tuned: pd.DataFrame) -> pd.DataFrame:
    """What every loss was tuned to, whatever that is."""
    return pd.concat([learning_rates, tuned.rename(columns={"value": "learning_rate"})])


def chosen_alike(
    reference: pd.DataFrame, fresh: pd.DataFrame, rates: pd.DataFrame, fresh_rates: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Both frames of `cells` without the sources whose learning rates differ between two tables of them (`choices`), and how many these are."""
    key = ["target", "model", "loss"]
    chosen = [t[t["chosen"]].set_index(key)["learning_rate"] for t in (rates, fresh_rates)]
    both = pd.concat(chosen, axis=1, join="inner").to_numpy()
    other = pd.concat(chosen, axis=1, join="inner").index[both[:, 0] != both[:, 1]]
    kept = (frame[~pd.MultiIndex.from_frame(frame[key]).isin(other)] for frame in (reference, fresh))
    return next(kept), next(kept), len(other)


@dataclass(frozen=True)
class Comparison:
    """A fresh run beside the reference."""

    cells: pd.DataFrame
    """A row a cell that both have: its key, both means, t, p, agrees."""
    p_cells: float
    """The smallest p value times the number of cells."""
    p_all: float
    """Of the permutation test."""

    @property
    def passes(self) -> bool:
        """Whether the runs agree as a whole."""
        return bool(min(self.p_cells, self.p_all) >= ALPHA / 2)


def compare(reference: pd.DataFrame, fresh: pd.DataFrame) -> Comparison:
    """Compare two frames of `cells`. Raises InputError if they have no cell in common."""
    a, b = (matrix(frame) for frame in (reference, fresh))
    shared = a.index.intersection(b.index, sort=False)
    if shared.empty:
        raise InputError("the run and the reference have no cell in common: they are of different suites")
    generator = np.random.default_rng(0)
    tables, total, larger = [], 0.0, np.zeros(PERMUTATIONS)
    for _, names in shared.to_frame(index=False).groupby("target", sort=False):
        at = pd.MultiIndex.from_frame(names)
        mine, yours = (frame.loc[at].dropna(axis=1, how="all").to_numpy(float) for frame in (a, b))
        labels = np.arange(mine.shape[1] + yours.shape[1]) < mine.shape[1]
        values = np.concatenate([mine, yours], 1)
        lost = ~np.isfinite(values).all(1)
        values = np.concatenate([values, np.isfinite(values[lost])])
        names = pd.concat([names, names[lost].assign(metric=names["metric"][lost] + " is ok")])
        relabelled = np.array([generator.permutation(labels) for _ in range(PERMUTATIONS)])
        dof = np.maximum(np.isfinite(values).sum(1) - 2, 1)
        squares = _squares(values, labels[None])[:, 0]
        total += _ratio(squares, dof).sum()
        for part in (slice(first, first + A_BLOCK) for first in range(0, PERMUTATIONS, A_BLOCK)):
            larger[part] += _ratio(_squares(values, relabelled[part]), dof[:, None]).sum(0)
        means = {run: _mean(values[:, side]) for run, side in (("reference", labels), ("fresh", ~labels))}
        tables.append(names.assign(**means, t=np.sqrt(squares), p=2 * stats.t.sf(np.sqrt(squares), dof)))
    table = pd.concat(tables, ignore_index=True)
    table["agrees"] = table["p"] >= CELL_LEVEL
    # A relabelling that is the labelling itself, or its mirror, must count as such whatever the rounding.
    p_all = (1 + (larger >= total * (1 - 1e-9)).sum()) / (1 + PERMUTATIONS)
    return Comparison(table, min(float(table["p"].min()) * len(table), 1.0), float(p_all))


def _mean(values: np.ndarray) -> np.ndarray:
    there = np.isfinite(values)
    return np.where(there, values, 0.0).sum(1) / np.where(there.any(1), there.sum(1), np.nan)


def matrix(frame: pd.DataFrame) -> pd.DataFrame:
    """A row a cell, a column a seed; divergences as logarithms; NaN where a seed is lost."""
    log = frame["metric"].map({m: bool(parse("metric", m).entry.facts.get("LOG")) for m in frame["metric"].unique()})
    values = np.where(log, np.log(frame["value"].where(frame["value"] > 0)), frame["value"])
    numbers = {c: frame[c].map(lambda v: "" if pd.isna(v) else f"{v:g}") for c in ("train_size", "train_steps", "step_size", "temperature")}
    return frame.assign(value=values, **numbers).set_index([*CELL, "seed"])["value"].unstack("seed")


def _squares(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """t^2 of each cell (row of values, NaN where a seed is lost) under each labelling (row of labels), (cell, labelling)."""
    there = np.isfinite(values)
    centred = np.where(there, values - np.nanmean(np.where(there.any(1, keepdims=True), values, 0.0), 1, keepdims=True), 0.0)
    first = labels.T.astype(float)
    n, n1 = there.sum(1)[:, None], there.astype(float) @ first
    n2 = n - n1
    s1 = centred @ first
    between = np.divide(s1**2 * n, n1 * n2, out=np.zeros_like(s1), where=(n1 > 0) & (n2 > 0))
    everything = (centred**2).sum(1)[:, None]
    within = np.maximum(everything - between, 0.0)
    tiny = 1e-10 * (np.where(there, values, 0.0) ** 2).sum(1)[:, None]  # a relative spread of 1e-5: values are kept to six digits
    t2 = between * np.maximum(n - 2, 1) / np.maximum(within, between / MOST + 1e-300)
    return np.where((n1 >= 2) & (n2 >= 2) & (everything > tiny), np.minimum(t2, MOST), 0.0)


def _ratio(squares: np.ndarray, dof: np.ndarray) -> np.ndarray:
    return (dof + 2) * np.log1p(squares / np.maximum(dof, 1))
