"""How much of a trained sampler's error is the loss's, and how much the sampler's.

With a the error of the trained source's own law (by quadrature where a metric of the source says it, `OWN`, else by a control that starts from exact draws,
MALA with small steps), b that of the trained source with the sampler, and e that of the exact score with the sampler:

    b = a + (b - a):   a is the loss's part, with the metric's floor in it; b - a is what the sampler adds, paired seed by seed.

e, at its own best step, stands beside it: what the sampler does when there is no loss to blame. b - a may be negative: a sampler that stops short of a
bad law is nearer to the target than the law is.
"""

import pandas as pd

from scorebench.core.schema import DECOMPOSITION
from scorebench.core.spec import Spec
from scorebench.report import statistics
from scorebench.report.choosing import is_control, is_ok, lower_is_better, methods

OWN = {"law_error:of=panel": "panel_bias"}
"""Metrics of a source's own law, without noise, and what estimates the same of samples."""
KEYS = ["target", "model", "loss", "sampler", "step_size"]
SEED = ["target", "model", "loss", "metric", "seed"]
PARTS = {"loss": "the loss's part", "sampler": "the sampler adds", "total": "together", "sampler_exact": "sampler on the exact score"}
"""The parts, as they are headed."""


def decompose(chosen: pd.DataFrame, metrics: list[Spec]) -> pd.DataFrame:
    """From the rows at the chosen steps, T = 1, and those about the sources at their end: each part's mean with its interval, a row each."""
    lower = [str(metric) for metric in metrics if metric.entry.facts.get("FLOOR") and lower_is_better(metric)]
    ok = chosen[is_ok(chosen) & (chosen["temperature"] == 1) & chosen["metric"].isin(lower)]
    control = ok["sampler"].map(is_control).astype(bool)
    trained = ok[~control & (ok["model"] != "") & (ok["gradient_evaluations"] > 0)]
    trained = trained.assign(method=methods(trained))
    laws = chosen[is_ok(chosen) & chosen["metric"].isin(OWN)]
    own = pd.concat([laws.assign(metric=laws["metric"].map(OWN)), ok[control]])[[*SEED, "value"]].drop_duplicates(SEED)
    paired = trained.merge(own, on=SEED, suffixes=("", "_own"))
    exact = ok[ok["model"] == ""]
    on_exact = {key: group["value"] for key, group in exact.groupby([exact["target"], methods(exact), exact["metric"]])}
    rows = []
    for values, group in paired.groupby([*KEYS, "metric"], sort=False, dropna=False):
        key = dict(zip([*KEYS, "metric"], values, strict=True))
        alike = on_exact.get((key["target"], group["method"].iloc[0], key["metric"]), pd.Series(dtype=float))
        for part, x in zip(PARTS, (group["value_own"], group["value"] - group["value_own"], group["value"], alike), strict=True):
            rows.append(key | {"part": part} | statistics.t_interval(x.to_numpy(float))._asdict() | {"seeds": len(x)})
    return DECOMPOSITION.frame(rows)


def by_first_metric(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the first metric on each target: the one that chose the step."""
    return table[table["metric"] == table.groupby("target")["metric"].transform("first")]
