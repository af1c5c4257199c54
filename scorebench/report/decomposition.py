"""How much of a trained sampler's error is the loss's, and how much the sampler's.

With a the error of the trained source's own law (by a control that starts from exact draws, MALA with small steps), b that of the trained source with
the sampler, and e that of the exact score with the sampler:

    b = a + (b - a):   a is the loss's part, with the metric's floor in it; b - a is what the sampler adds, paired seed by seed.

e stands beside it: what the sampler does when there is no loss to blame. b - a may be negative: a sampler that stops short of a bad law is nearer to
the target than the law is.
"""

import pandas as pd

from scorebench.core.spec import Spec, parse
from scorebench.report import statistics

KEYS = ["target", "model", "loss", "sampler", "step_size"]
PARTS = ("loss", "sampler", "total", "sampler_exact")


def decompose(chosen: pd.DataFrame, metrics: list[Spec]) -> pd.DataFrame:
    """From the rows at the chosen steps, T = 1: each part's mean with its interval, a row each."""
    lower = [str(m) for m in metrics if m.entry.facts.get("FLOOR") and m.entry.facts.get("DIRECTION") == "lower"]
    ok = chosen[(chosen["status"] == "ok") & (chosen["temperature"] == 1) & chosen["metric"].isin(lower)]
    control = ok["sampler"].map(lambda s: parse("sampler", s).entry.facts.get("START") == "target")
    trained = ok[~control & ok["model"].notna() & (ok["gradient_evaluations"] > 0)]
    own = ok.loc[control, ["target", "model", "loss", "metric", "seed", "value"]]
    paired = trained.merge(own, on=["target", "model", "loss", "metric", "seed"], suffixes=("", "_own"))
    on_exact = {key: of["value"] for key, of in ok[ok["model"].isna()].groupby(["target", "sampler", "metric"])}
    found = []
    for key, of in paired.groupby([*KEYS, "metric"], sort=False):
        who = dict(zip([*KEYS, "metric"], key, strict=True))
        alone = on_exact.get((who["target"], who["sampler"], who["metric"]), pd.Series(dtype=float))
        values = (of["value_own"], of["value"] - of["value_own"], of["value"], alone)
        for part, x in zip(PARTS, values, strict=True):
            found.append(who | {"part": part} | statistics.t_interval(x.to_numpy(float))._asdict() | {"seeds": len(x)})
    return pd.DataFrame(found, columns=[*KEYS, "metric", "part", "mean", "low", "high", "seeds"])


def wide(table: pd.DataFrame) -> pd.DataFrame:
    """A row a source and sampler, a column a part, by the first metric on each target: the one that chose the step."""
    first = table[table["metric"] == table.groupby("target")["metric"].transform("first")]
    cells = first.assign(cell=[_cell(*row) for row in first[["mean", "low", "high"]].to_numpy()])
    heads = {"loss": "the loss's part", "sampler": "the sampler adds", "total": "together", "sampler_exact": "sampler on the exact score"}
    found = cells.pivot(index=[*KEYS, "metric"], columns="part", values="cell").reindex(columns=list(PARTS)).rename(columns=heads)
    order = cells.drop_duplicates([*KEYS, "metric"])[[*KEYS, "metric"]]
    return order.merge(found.reset_index(), on=[*KEYS, "metric"], how="left")


def _cell(mean: float, low: float, high: float) -> str:
    return "" if pd.isna(mean) else f"{mean:.3g}" + ("" if pd.isna(low) else f" [{low:.3g}, {high:.3g}]")
