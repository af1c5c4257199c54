"""Whether rows are draws of a law with a density, as far as they show it.

A score that is learnt of a law without one has no lower bound: a ridge of width h over a value, or a plane, that holds a share w of the law gives the
Hyvarinen score -w/h^2. So nothing follows from the lowest. Told are a value that many rows take, an equation that all rows fulfil, and rows that come
again. Equations are linear ones, also of logarithms (a ratio, a product of powers), and those of degree two (a circle, a square); others are not seen.
"""

import numpy as np
import pandas as pd
from scipy import stats

SHARE, CHANCE = 0.1, 1e-5
"""Of the rows that a value takes: of 3,000 rows mlp_energy found one that .1 take, or ten that .1 take each (scores of -7e4 and -4e3 in place of -2), and
none that .05 take, or of a normal column that is rounded to a quarter of its deviation (.1)."""
THIN = 1e-3
"""The least standard deviation along a direction, in those of the columns: 1,000 steps reach .005 on a line, and .007 exactly where the law has it."""
FEW, MOST = 0.01, 0.25
"""Of rows that are held out: copies of rows that train that are told, and so many that no others judge: where all rows come twice it is .5."""
BULK = 5.0
"""Interquartile ranges from the median within which equations are looked for: one row far out makes any two columns one."""
ROWS, TERMS, EACH = 20_000, 500, 5
"""The most rows in which equations are looked for; of one of degree two the most terms, and the fewest rows a term."""
COARSE = 0.05
"""Of a column's standard deviation: a step of rounding that is told."""
REMEDY = "noise=0.1, normal noise of a tenth of each column's deviation, say; or columns=a|b without what is named"


def grid(values: np.ndarray) -> float:
    """The step of the grid that some numbers, rising, lie on; 0 where they lie on none."""
    gaps = np.diff(values)
    return float(gaps.min()) if len(gaps) and np.abs(np.remainder(gaps / gaps.min() + 0.5, 1) - 0.5).max() < 1e-3 else 0.0


def why(values: np.ndarray, names: list[str], trains: np.ndarray, judges: np.ndarray, noised: bool) -> tuple[str, tuple[str, ...]]:
    """Why the law of the rows, (n, d), has no density, "" where nothing speaks against one; and what to say of rows that stand in for draws of one.

    Of rows that are `noised` when they are drawn copies alone can be a reason.
    """
    values = values + 0.0  # there is one zero
    counted = [np.unique(column, return_counts=True) for column in values.T]
    step = np.array([grid(its) for its, _ in counted])
    share, copies = _copied(values, trains, judges)
    reasons = [] if noised else [*_many(counted, names, step), *_equations(values, names, step)]
    if reasons:
        reasons[-1] += f" (allowed: {REMEDY})"
    told = f"{share:.0%} of the rows that are held out are copies of rows that train"
    if copies and share >= MOST:
        reasons.append(told)
    remarks = [f"{told}: these do not show what is learnt by heart"] if copies and FEW <= share < MOST else []
    coarse = step / values.std(0)
    if not noised and not reasons and coarse.max() >= COARSE:
        worst = int(coarse.argmax())
        remarks.append(
            f"column {names[worst]!r} is rounded to steps of {step[worst]:g}, {coarse[worst]:.2g} of its standard deviation: what is learnt at that scale "
            "or below is the rounding"
        )
    return "; ".join(reasons), tuple(remarks)


def _many(counted: list[tuple[np.ndarray, np.ndarray]], names: list[str], step: np.ndarray) -> list[str]:
    """Columns with a value that more rows take than a share of SHARE would in 1e-5 of tables, half of it where the others lie on no grid; and those with so
    few values that they take SHARE each. In 3,000 rows a share of .13, or .07, is seen.
    """
    n, found = counted[0][1].sum(), []
    on_grid, on_none = (stats.binom.isf(CHANCE / len(names), n, share) for share in (SHARE, SHARE / 2))
    for name, (its, counts), its_step in zip(names, counted, step, strict=True):
        if counts.max() > (on_grid if its_step else on_none):
            found.append(f"{counts.max():,} of {n:,} rows have {its[counts.argmax()]:g} in column {name!r}")
        elif len(its) <= min(1 / SHARE, n * SHARE):
            found.append(f"column {name!r} has {len(its)} values in {n:,} rows")
    return found


def _equations(values: np.ndarray, names: list[str], step: np.ndarray) -> list[str]:
    """The first that is found, of columns, of logarithms of those that are positive, or of degree two; where most rows lie."""
    values = values[:: -(-len(values) // ROWS)]
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
    bulk = values[(np.abs(values - middle) <= np.where(high > low, BULK * (high - low), np.inf)).all(1)]
    values = bulk if len(bulk) >= 2 * len(names) else values
    positive = values.min(0) > 0
    logs = np.log(values, where=positive, out=values.copy())
    relative = step * np.where(positive, np.square(1 / np.where(positive, values, 1)).mean(0) ** 0.5, 1)
    names = [repr(name) for name in names]
    logged = [f"log {name}" if its else name for name, its in zip(names, positive, strict=True)]
    found = _linear(values, names, step) or _linear(logs, logged, relative) or _quadric(values, names, step)
    return [found] * bool(found)


def _linear(values: np.ndarray, names: list[str], step: np.ndarray) -> str:
    r"""Along an eigenvector v of the correlations with variance l: l <= THIN^2, or half of it or more rounding to steps s_k, sum_k v_k^2 s_k^2/12.

    Of twice as many rows as columns or more: of fewer all fulfil an equation, or nearly (Marchenko and Pastur 1967).
    """
    spread = values.std(0)
    if len(values) < 2 * len(names) or len(names) < 2 or not spread.all():
        return ""
    variances, vectors = np.linalg.eigh(np.corrcoef(values.T))
    rounding = np.square(vectors.T * step / spread).sum(-1) / 12
    return _told(variances, np.abs(vectors.T), rounding, names, "an equation")


def _quadric(values: np.ndarray, names: list[str], step: np.ndarray) -> str:
    """The same of a'z + z'Az by its terms' correlations, and of rounding by its slopes; z are the columns made uncorrelated, or thin ones had thin squares."""
    fine = step < 0.5 * values.std(0)  # of few values any has an equation of its own
    values, names, step, d = values[:, fine], [name for name, its in zip(names, fine, strict=True) if its], step[fine], int(fine.sum())
    if not 2 < d * (d + 3) // 2 <= min(TERMS, len(values) // EACH):
        return ""
    spread = values.std(0)
    variances, axes = np.linalg.eigh(np.corrcoef(values.T))
    if variances[0] <= 0:
        return ""
    whiten = axes / variances**0.5
    z = (values - values.mean(0)) / spread @ whiten
    first, second = np.triu_indices(d)
    terms = np.concatenate([z, z[:, first] * z[:, second]], 1)
    terms -= terms.mean(0)
    scale = terms.std(0)
    scale[scale < 1e-6] = np.inf  # a square of two values
    terms /= scale
    variances, vectors = np.linalg.eigh(terms.T @ terms / len(terms))
    slopes = []
    for weights in (vectors[:, : 3 * d] / scale[:, None]).T:
        square = np.zeros((d, d))
        square[first, second] = weights[d:]
        slopes.append(np.square((weights[:d] + z @ (square + square.T)) @ whiten.T).mean(0) ** 0.5)
    rounding = np.square(np.array(slopes) * step / spread).sum(-1) / 12
    return _told(variances[: 3 * d], np.array(slopes), rounding, names, "an equation of degree two")


def _told(variances: np.ndarray, shares: np.ndarray, rounding: np.ndarray, names: list[str], what: str) -> str:
    """Of the first of some equations, (k,), of two columns or more whose variance is THIN's or that of rounding: which, by their shares in it, (k, d)."""
    among = shares > 0.1 * shares.max(-1, keepdims=True)
    if not (thin := ((variances <= np.maximum(THIN**2, 2 * rounding)) & (among.sum(-1) > 1)).nonzero()[0]).size:
        return ""
    its = [name for name, there in zip(names, among[thin[0]], strict=True) if there]
    shown = ", ".join(its[:4]) + (f" and {len(its) - 4} more" if len(its) > 4 else "")
    return f"columns {shown} fulfil {what}, to {variances[thin[0]].clip(0) ** 0.5:.1g} of their deviations"


def _copied(values: np.ndarray, trains: np.ndarray, judges: np.ndarray) -> tuple[float, bool]:
    """The share of rows that judge which are as one that trains; whether such are copies, and no coincidence of rounding.

    Of two rows that agree in all columns but one the last agrees in copies always; in draws that are rounded to a step of s deviations of what is left
    given the others by chance, .28 s of pairs (of a normal one), .5 at the most where it is not of few values.
    """
    each = np.stack([pd.util.hash_array(column, categorize=False) * np.uint64(2 * k + 1) for k, column in enumerate(values.T)])
    whole = each.sum(0, dtype=np.uint64)
    share = float(np.isin(whole[judges], whole[trains]).mean())
    return share, bool(share) and all(_pairs(whole) > 0.5 * _pairs(whole - its) for its in each)


def _pairs(codes: np.ndarray) -> int:
    """Of codes that are the same."""
    counts = np.unique(codes, return_counts=True)[1].astype(np.int64)
    return int((counts * (counts - 1) // 2).sum())
