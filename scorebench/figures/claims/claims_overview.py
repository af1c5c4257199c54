"""Every number of every claim: how far it is from its prediction, in units of how far it may be."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scorebench.claims.base import CORRECTED, IDENTITY, LEAST, allowed
from scorebench.figures.base import COLOURS, required
from scorebench.store.results import Results

LABEL = "All claims at a glance"
CAPTION = (
    "A row a claim, a mark a number: measured less predicted, over what is allowed (false alarm 1e-7 a number, and its tolerance), so that "
    "numbers within the band agree. Circles follow from the statement as written, crosses from what holds instead. Arrows at the edge are "
    "further out, with how many where there are more; an inequality that holds stands at 0; identities are not shown."
)
USES = {"claim": ("",)}
EDGE = 4.0
STATED: dict[str, Any] = {"marker": "o", "color": COLOURS[1], "mfc": "none"}
INSTEAD: dict[str, Any] = {"marker": "x", "color": COLOURS[0]}


def draw(results: Results) -> Figure:
    """Rows in the article's order."""
    claims = [results.claim(claim) for claim in results.plan.suite.claims]  # drawn before there is a manifest
    required(pd.DataFrame([q for claim in claims for q in claim.quantities]), "numbers of claims")
    figure, ax = plt.subplots(figsize=(9.0, 1.6 + 0.2 * len(claims)))
    ax.axvspan(-1, 1, color="0.9", zorder=0)
    for row, claim in enumerate(claims):
        outside = Counter[float]()
        for q in claim.quantities:
            if q.group == IDENTITY:
                continue
            gap, may = q.measured - q.predicted, allowed(q.standard_error, q.n, q.tolerance)
            gap = min(gap, 0.0) if LEAST in q.name else gap
            at = float(np.sign(gap) * np.inf if may == 0 and gap else gap / may if may else 0.0)
            look = INSTEAD if q.group == CORRECTED else STATED
            if abs(at) > EDGE:
                look = look | {"marker": "<" if at < 0 else ">"}
                outside[np.sign(at)] += 1
            ax.plot(np.clip(at, -EDGE, EDGE), row, markersize=4.5, alpha=0.75, mew=1.1, **look)
        for side, count in outside.items():
            if count > 1:
                ax.text(side * (EDGE - 0.25), row, str(count), ha="center", va="center", fontsize=8, color="0.3")
    for label, look in (("the statement", STATED), ("what holds instead", INSTEAD)):
        ax.plot([], [], ls="none", label=label, **look)
    ax.set(
        yticks=range(len(claims)), ylim=(len(claims) - 0.4, -0.6), xlim=(-EDGE - 0.3, EDGE + 0.3), xlabel="(measured - predicted) / allowed"
    )
    ax.set_yticklabels([claim.label for claim in claims], fontsize=8)
    right = ax.secondary_yaxis("right")
    right.set_yticks(range(len(claims)), [str(claim.verdict) for claim in claims], fontsize=8)
    right.tick_params(length=0)
    right.spines["right"].set_visible(False)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure
