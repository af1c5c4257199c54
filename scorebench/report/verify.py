"""A fresh run beside the committed reference: its cells (`report.agreement`), samplers' biases in equilibrium, and the numbers and verdicts of its claims.

Of the comparison by work the biases of chosen cells judge, which are means over independent chains: they raise a false alarm in at most ALPHA of the runs
(Bonferroni, normal). The works themselves are told beside them: a first crossing is no mean, and its interval not made for so small a level.
"""

import math
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from scorebench.claims.base import ALPHA as CLAIM_ALPHA
from scorebench.claims.base import BUDGET
from scorebench.core import schema, sealed
from scorebench.core.errors import InputError
from scorebench.core.schema import ClaimResult, Quantity, Status
from scorebench.report.agreement import ALPHA, CELL, cells, choices, chosen_alike, compare, matrix
from scorebench.report.ranking import cell, of_rivals, shown
from scorebench.store import artifacts
from scorebench.store.provenance import timings
from scorebench.store.results import Results
from scorebench.suite.jobs import STAGES

DIGESTS = "digests.json"
"""In a reference: the digests of all else in it."""
AGAIN = "(allowed: the reference as it was written; `git checkout` it, or `scorebench verify --write` a run)"
DIGITS = 1e-5
"""What another processor's rounding becomes by training, relatively, in a number without other randomness: an autoencoder's energies moved by 2e-6."""


def claims(reference: Sequence[ClaimResult], fresh: Sequence[ClaimResult]) -> tuple[int, int, list[str]]:
    """How many of how many numbers that both have agree, and what does not: a verdict that changed, a number that moved."""
    agree = total = 0
    old = {claim.id: claim.verdict for claim in reference}
    changed = [claim for claim in fresh if claim.verdict != old.get(claim.id, claim.verdict)]
    lines = [f"claim {claim.id}: {claim.verdict}, was {old[claim.id]}" for claim in changed]
    before, after = _numbers(reference), _numbers(fresh)
    for claim, name in (key for key in after if key in before):
        total += 1
        p, q = before[claim, name], after[claim, name]
        if _close(p, q):
            agree += 1
        else:
            lines.append(f"claim {claim}, {name}: {q.measured}, was {p.measured}")
    return agree, total, lines


def _numbers(claims: Sequence[ClaimResult]) -> dict[tuple[str, str], Quantity]:
    return {(claim.id, quantity.name): quantity for claim in claims for quantity in claim.quantities}


def biases(reference: pd.DataFrame, fresh: pd.DataFrame) -> tuple[int, int, list[str]]:
    """How many of how many biases of cells that both chose agree, and a line for each that does not; from two tables `equilibrium`."""
    both = reference.merge(fresh, on=["target", "method", "sampler", "step_size", "function"], suffixes=("", "_fresh"))
    errors = [(both[f"high{which}"] - both[f"low{which}"]) / (2 * stats.norm.ppf(0.975)) for which in ("", "_fresh")]
    limit = float(stats.norm.isf(ALPHA / max(len(both), 1) / 2))
    off = both[(both["bias_fresh"] - both["bias"]).abs() > limit * np.hypot(*errors) + 1e-9]
    lines = [
        f"{row['target']}, {cell(row)}, bias of {row['function']} in equilibrium: {row['bias_fresh']:.4g}, was {row['bias']:.4g}"
        for _, row in off.iterrows()
    ]
    return len(both) - len(off), len(both), lines


def works(reference: pd.DataFrame, fresh: pd.DataFrame) -> list[str]:
    """What became of the chosen cells, from two tables `work`: told, not judged."""
    old, new = (of_rivals(rows[rows["chosen"]]) for rows in map(shown, (reference, fresh)))
    both = old.merge(new, on=["target", "method"], suffixes=("", "_fresh"))
    if both.empty:
        return []
    alike = both[(both["sampler"] == both["sampler_fresh"]) & (both["step_size"].fillna(0) == both["step_size_fresh"].fillna(0))]
    arrive = alike[(alike["status"] == Status.OK) & (alike["status_fresh"] == Status.OK)]
    overlap = int(((arrive["low"] <= arrive["high_fresh"]) & (arrive["low_fresh"] <= arrive["high"])).sum())
    same = int(np.isclose(arrive["gradients"], arrive["gradients_fresh"], rtol=1e-6).sum())
    return [
        f"{len(alike)} of {len(both)} methods are at the cell of the reference",
        f"{len(arrive)} of these arrive in both runs: {same} works are the same to six digits, the intervals of {overlap} overlap",
    ]


def missing(old: Iterable[object], new: Iterable[object], what: str) -> list[str]:
    """Lines that say how many things only a run or only the reference has: they are not compared."""
    old, new = set(old), set(new)
    counts = ((len(new - old), "the run have no reference"), (len(old - new), "the reference are not in the run"))
    return [f"not compared: {n:,} {what} of {where}" for n, where in counts if n]


def _close(a: Quantity, b: Quantity) -> bool:
    if math.isnan(a.measured) or math.isnan(b.measured):
        return math.isnan(a.measured) and math.isnan(b.measured)
    n = min((q.n for q in (a, b) if q.n), default=None)
    t = -float(stats.t.ppf(CLAIM_ALPHA / BUDGET / 2, n - 1)) if n else 0.0
    error = t * math.hypot(a.standard_error, b.standard_error) + a.tolerance + b.tolerance
    return abs(a.measured - b.measured) <= error + DIGITS * abs(a.measured)


def write_reference(folder: Path) -> Path:
    """Write results/reference/<suite>/: the cells, the tables, the claims, the manifest, what each job took, small figures, and the digests of all that.

    It is made beside the one before, and takes its place when it is whole.
    """
    from PIL import Image

    results, out = Results(folder), _reference(folder)
    results.check()
    kept = [
        *(f"tables/{table}.csv" for table in schema.TABLES),
        *(f"claims/{claim}.json" for claim in results.plan.suite.claims),
        "manifest.json",
    ]
    figures = [f"figures/{figure}.png" for figure in results.plan.suite.figures]
    results.there("metrics.csv", *kept, *figures)
    made, before = out.with_name(f".{out.name}.made"), _before(out)
    for left in (made, before):
        shutil.rmtree(left, ignore_errors=True)
    artifacts.write_gzip(made / "cells.csv.gz", schema.CELLS.to_csv(cells(results.metrics)))
    for name in kept:
        artifacts.write_bytes(made / name, (folder / name).read_bytes())
    took = timings(folder, results.plan, STAGES)[["stage", "job", "seconds"]].drop_duplicates()
    took.to_csv(made / "timings.csv", index=False, float_format="%.1f")
    for figure in figures:
        with Image.open(folder / figure) as image:
            small = image.convert("RGB").resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS).quantize(64)
            (made / "figures").mkdir(exist_ok=True)
            small.save(made / figure, optimize=True)
    seal(made)
    if out.exists():
        out.rename(before)
    made.rename(out)
    shutil.rmtree(before, ignore_errors=True)
    return out


def seal(reference: Path) -> None:
    """Write the digests of all that a reference holds."""
    held = sorted(path.relative_to(reference).as_posix() for path in reference.rglob("*") if path.is_file())
    artifacts.write_json(reference / DIGESTS, {"sha256": {name: sealed.digest(reference / name) for name in held if name != DIGESTS}})


def intact(reference: Path) -> set[str]:
    """The files that a reference holds. Raises InputError with a line for each that is not there, or not as it was written."""
    try:
        held = sealed.read(reference / DIGESTS)["sha256"]
    except FileNotFoundError:
        raise InputError(f"{reference / DIGESTS} does not exist {AGAIN}") from None
    except InputError:
        raise InputError(f"{reference / DIGESTS} is damaged or edited {AGAIN}") from None
    lines = []
    for name, digest in held.items():
        path = reference / name
        if not path.is_file() or sealed.digest(path) != digest:
            lines.append(f"{path} {'is damaged or edited' if path.exists() else 'does not exist'} {AGAIN}")
    if lines:
        raise InputError(*lines)
    return set(held)


def _reference(folder: Path) -> Path:
    """Where a process was killed between the two moves of `write_reference`, the one before is put back."""
    out = folder.parent / "reference" / folder.name
    if _before(out).exists() and not out.exists():
        _before(out).rename(out)
    return out


def _before(reference: Path) -> Path:
    return reference.with_name(f".{reference.name}.before")


def _table(reference: Path, held: set[str], name: str) -> pd.DataFrame:
    """A table of the reference; an empty one where that is older than the table."""
    path = reference / "tables" / f"{name}.csv"
    return schema.TABLES[name].from_csv(path.read_bytes(), path) if f"tables/{name}.csv" in held else schema.TABLES[name].frame([])


def _fresh(results: Results, name: str) -> pd.DataFrame:
    """The same of a run, where its suite compares samplers by work."""
    return results.table(name) if results.plan.works else schema.TABLES[name].frame([])


def show(folder: Path) -> bool:
    """Print how a run compares with the committed reference; True if it agrees, or if there is none."""
    results, reference = Results(folder), _reference(folder)
    results.check()
    if not reference.exists():
        print(f"verify: there is no reference for the suite {folder.name!r}: nothing to compare")
        return True
    held, stored = intact(reference), reference / "cells.csv.gz"
    old, new, other = chosen_alike(
        schema.CELLS.from_csv(artifacts.read_gzip(stored), stored),
        cells(results.metrics),
        choices(_table(reference, held, "learning_rates"), _table(reference, held, "tuned")),
        choices(results.table("learning_rates"), results.table("tuned")),
    )
    comparison = compare(old, new)
    was = [
        schema.claim_result(sealed.read(path), path) for path in (reference / name for name in sorted(held) if name.startswith("claims/"))
    ]
    agree, total, lines = claims(was, results.claims)
    alike, compared, moved = biases(_table(reference, held, "equilibrium"), _fresh(results, "equilibrium"))
    lines += moved
    off = comparison.cells[~comparison.cells["agrees"]].sort_values("p")
    means = comparison.cells[["reference", "fresh"]].fillna(np.inf)  # where every seed diverged there is none
    same = int((means["reference"] == means["fresh"]).sum())
    print(
        f"verify: {comparison.cells['agrees'].sum():,} of {len(comparison.cells):,} cells agree with the reference (by chance one in 1,000 would "
        f"not; {same:,} are the same to six digits); {agree:,} of {total:,} numbers of claims agree"
        + f"; {alike:,} of {compared:,} biases in equilibrium agree"
        * bool(compared)
    )
    for line in works(_table(reference, held, "work"), _fresh(results, "work")):
        print(f"  by work, not judged: {line}")
    aside = [f"not compared: {other} sources that chose another learning rate, and what was sampled from them"] if other else []
    aside += missing(matrix(old).index, matrix(new).index, "cells")
    aside += missing(_numbers(was), _numbers(results.claims), "numbers of claims")
    print("\n".join(f"  {line}" for line in aside), end="\n" if aside else "")
    for _, row in off.head(10).iterrows():
        where = ", ".join(row[column] for column in CELL if row[column])
        print(f"  {where}: {row['fresh']:.4g}, was {row['reference']:.4g} (p = {row['p']:.1g})")
    print("\n".join(f"  {line}" for line in lines[:10]), end="\n" if lines else "")
    passes = comparison.passes and not lines
    p_values = f"p = {comparison.p_all:.2g} for all shifts together, p = {comparison.p_cells:.2g} for the largest"
    print(
        f"verify: {'PASS' if passes else 'FAIL'}{', on what both have' if aside else ''}: {p_values}; it fails where one is below {ALPHA / 2:g}"
    )
    return passes
